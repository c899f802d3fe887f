package org.pocketclip.bench

import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.Service
import android.content.Context
import android.content.Intent
import android.content.pm.ServiceInfo
import android.os.Build
import android.os.IBinder
import android.os.PowerManager
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit

/**
 * Keeps a measurement from being treated as background work: a foreground service, and a wake lock, so that the
 * processor does not sleep when the screen goes dark. Not exported: only this application starts it.
 */
class MeasuringService : Service() {
    private var wakeLock: PowerManager.WakeLock? = null

    override fun onBind(intent: Intent?): IBinder? = null

    override fun onCreate() {
        super.onCreate()
        val manager = getSystemService(Context.NOTIFICATION_SERVICE) as NotificationManager
        manager.createNotificationChannel(
            // Low: it makes no sound, which would wake the audio hardware.
            NotificationChannel(CHANNEL, getString(R.string.channel_name), NotificationManager.IMPORTANCE_LOW),
        )
        val notification = Notification.Builder(this, CHANNEL)
            .setSmallIcon(R.drawable.ic_measuring)
            .setContentTitle(getString(R.string.measuring_title))
            .setContentText(getString(R.string.measuring_text))
            .setOngoing(true)
            .build()
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.UPSIDE_DOWN_CAKE) {
            startForeground(NOTIFICATION, notification, ServiceInfo.FOREGROUND_SERVICE_TYPE_SPECIAL_USE)
        } else {
            startForeground(NOTIFICATION, notification)
        }
        val power = getSystemService(Context.POWER_SERVICE) as PowerManager
        wakeLock = power.newWakeLock(PowerManager.PARTIAL_WAKE_LOCK, TAG).apply {
            setReferenceCounted(false)
            acquire(LONGEST_MS)
        }
        up.countDown()
    }

    override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int = START_NOT_STICKY

    override fun onDestroy() {
        wakeLock?.let { if (it.isHeld) it.release() }
        wakeLock = null
        super.onDestroy()
    }

    companion object {
        private const val CHANNEL = "measurements"
        private const val NOTIFICATION = 1
        private const val TAG = "pocketclip:measuring"

        /** Longer than any job: a sustained run of an hour and its rest. A process that dies gives the lock back at once. */
        private const val LONGEST_MS = 2L * 60 * 60 * 1000

        private const val START_MS = 5_000L

        @Volatile
        private var up = CountDownLatch(1)

        /**
         * Runs a block while the service is up.
         *
         * @param refused is told where the system does not let it start; the block runs all the same, since a process
         * under instrumentation has the foreground's priority by itself. Where `am instrument` started it, it does let it.
         * @param waitMs so long the service has to come up.
         */
        fun <T> during(context: Context, refused: (String) -> Unit, waitMs: Long = START_MS, block: () -> T): T {
            val intent = Intent(context, MeasuringService::class.java)
            up = CountDownLatch(1)
            try {
                context.startForegroundService(intent)
                // The main thread brings it up, which must not fall into the first samples.
                if (!up.await(waitMs, TimeUnit.MILLISECONDS)) refused("the foreground service is not up after $waitMs ms")
            } catch (error: IllegalStateException) {
                refused("no foreground service: ${error.message}")
            } catch (error: SecurityException) {
                refused("no foreground service: ${error.message}")
            }
            try {
                return block()
            } finally {
                context.stopService(intent)
            }
        }
    }
}
