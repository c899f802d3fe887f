package org.pocketclip.app.background

import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.PendingIntent
import android.app.Service
import android.content.Context
import android.content.Intent
import android.content.pm.ServiceInfo
import android.os.Build
import android.os.IBinder
import android.os.PowerManager
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch
import org.pocketclip.app.MainActivity
import org.pocketclip.app.PocketClipApplication
import org.pocketclip.app.R
import org.pocketclip.core.records.Tower

/**
 * Keeps the process going while photos are indexed or a tower is measured, though another application is in front: a
 * foreground service whose notification says how far it is and can end it, and a wake lock for when the screen goes dark.
 * It does nothing itself. Not exported.
 */
class WorkService : Service() {
    private val container by lazy { (application as PocketClipApplication).container }
    private val scope by lazy { CoroutineScope(SupervisorJob() + container.main) }
    private val awake by lazy {
        (getSystemService(Context.POWER_SERVICE) as PowerManager).newWakeLock(PowerManager.PARTIAL_WAKE_LOCK, WAKE_LOCK).apply {
            setReferenceCounted(false)
        }
    }
    private val notifications by lazy { getSystemService(Context.NOTIFICATION_SERVICE) as NotificationManager }

    override fun onBind(intent: Intent?): IBinder? = null

    override fun onCreate() {
        super.onCreate()
        notifications.createNotificationChannel(
            NotificationChannel(CHANNEL, getString(R.string.work_channel), NotificationManager.IMPORTANCE_LOW),
        )
        val first = notification(getString(R.string.work_title)).build()
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) {
            startForeground(NOTIFICATION, first, ServiceInfo.FOREGROUND_SERVICE_TYPE_DATA_SYNC)
        } else {
            startForeground(NOTIFICATION, first)
        }
        scope.launch {
            container.work.state.collect { work ->
                if (work == null) {
                    stopSelf()
                } else {
                    // Anew with each step: a work that hangs does not empty the battery.
                    awake.acquire(LONGEST_STEP_MS)
                    notifications.notify(NOTIFICATION, shown(work))
                }
            }
        }
    }

    override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
        if (intent?.action == CANCEL) container.work.cancel()
        return START_NOT_STICKY
    }

    /** Android 15 lets such a service run for six hours a day: what is done is stored, and the user may go on later. */
    override fun onTimeout(startId: Int, fgsType: Int) {
        container.work.cancel()
        stopSelf()
    }

    override fun onDestroy() {
        scope.cancel()
        if (awake.isHeld) awake.release()
        super.onDestroy()
    }

    private fun shown(work: Work): Notification = when (work) {
        is Work.Indexing -> notification(getString(R.string.work_indexing)).apply {
            val progress = work.progress
            val looked = progress.done + progress.unreadable
            setContentText(getString(R.string.search_progress, progress.done, progress.total))
            setProgress(progress.total, looked, progress.total == 0)
        }
        is Work.Measuring -> notification(getString(R.string.work_measuring)).apply {
            setContentText(getString(if (work.tower == Tower.IMAGE) R.string.tower_image else R.string.tower_text))
            setProgress(0, 0, true)
        }
    }.build()

    private fun notification(title: String): Notification.Builder {
        val open = PendingIntent.getActivity(this, 0, Intent(this, MainActivity::class.java), PendingIntent.FLAG_IMMUTABLE)
        val cancel = PendingIntent.getService(
            this, 1, Intent(this, WorkService::class.java).setAction(CANCEL), PendingIntent.FLAG_IMMUTABLE,
        )
        return Notification.Builder(this, CHANNEL)
            .setSmallIcon(R.drawable.ic_search)
            .setContentTitle(title)
            .setContentIntent(open)
            .setOngoing(true)
            .setOnlyAlertOnce(true)
            .addAction(Notification.Action.Builder(null, getString(R.string.cancel), cancel).build())
    }

    companion object {
        private const val CHANNEL = "work"
        private const val NOTIFICATION = 1
        private const val WAKE_LOCK = "pocketclip:work"

        /** Longer than a measurement may take, or one photo. */
        private const val LONGEST_STEP_MS = 10L * 60 * 1000
        private const val CANCEL = "org.pocketclip.app.CANCEL"

        /** Starts it; where the system does not allow that, the work goes on as long as the process is let alone. */
        fun start(context: Context) {
            try {
                context.startForegroundService(Intent(context, WorkService::class.java))
            } catch (_: IllegalStateException) {
                // Nothing of ours is in front: the work was begun by an earlier press.
            }
        }
    }
}
