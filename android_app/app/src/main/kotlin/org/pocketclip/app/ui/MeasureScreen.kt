package org.pocketclip.app.ui

import android.content.ClipData
import android.content.Context
import android.content.Intent
import android.net.Uri
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.selection.toggleable
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.Card
import androidx.compose.material3.Checkbox
import androidx.compose.material3.FilterChip
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringArrayResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import androidx.core.content.FileProvider
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import java.io.File
import org.pocketclip.app.R
import org.pocketclip.app.measure.Choice
import org.pocketclip.app.measure.MeasurePresenter
import org.pocketclip.app.measure.MeasureState
import org.pocketclip.app.measure.MeasuredRow
import org.pocketclip.app.measure.RunState
import org.pocketclip.core.records.Tower
import org.pocketclip.core.runtime.Accelerator

/** Latency, load and memory of the bundle's towers on this phone. */
@Composable
fun MeasureScreen(presenter: MeasurePresenter) {
    val state by presenter.state.collectAsStateWithLifecycle()
    val running = state.run is RunState.Running
    Column(
        Modifier.fillMaxSize().verticalScroll(rememberScrollState()).padding(16.dp),
        verticalArrangement = Arrangement.spacedBy(12.dp),
    ) {
        if (state.debugBuild) Text(stringResource(R.string.measure_debug_build))
        Choices(presenter, state, enabled = !running)
        Run(presenter, state)
        state.rows.forEach { Measured(it) }
        if (state.rows.isNotEmpty()) {
            val context = LocalContext.current
            OutlinedButton(onClick = { share(context, state.rows) }) { Text(stringResource(R.string.measure_share)) }
        }
    }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Choices(presenter: MeasurePresenter, state: MeasureState, enabled: Boolean) {
    for (choice in state.choices) {
        val chosen = choice.tower in state.chosen
        Row(
            // The whole row is one switch, as TalkBack reads it.
            Modifier.fillMaxWidth().toggleable(chosen, enabled, Role.Checkbox) {
                presenter.choose(choice.tower, it)
            }.padding(vertical = 8.dp),
            verticalAlignment = Alignment.CenterVertically,
            horizontalArrangement = Arrangement.spacedBy(8.dp),
        ) {
            Checkbox(chosen, onCheckedChange = null, enabled = enabled)
            Text(towerName(choice, state.accelerator))
        }
    }
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        for (accelerator in listOf(null) + presenter.offered(state)) {
            FilterChip(
                selected = accelerator == state.accelerator,
                onClick = { presenter.setAccelerator(accelerator) },
                enabled = enabled,
                label = { Text(accelerator?.id ?: stringResource(R.string.measure_usual)) },
            )
        }
        for (threads in listOf(1, 2, 4)) {
            FilterChip(
                selected = threads == state.threads,
                onClick = { presenter.setThreads(threads) },
                enabled = enabled,
                label = { Text(stringResource(R.string.measure_threads, threads)) },
            )
        }
    }
}

@Composable
private fun Run(presenter: MeasurePresenter, state: MeasureState) {
    when (val run = state.run) {
        is RunState.Running -> {
            val tower = stringResource(if (run.tower == Tower.IMAGE) R.string.tower_image else R.string.tower_text)
            Text(
                stringResource(R.string.measure_running, tower, run.words ?: stringResource(R.string.measure_starting)),
                Modifier.semantics { liveRegion = LiveRegionMode.Polite },
            )
            LinearProgressIndicator(Modifier.fillMaxWidth())
            OutlinedButton(onClick = presenter::cancel) { Text(stringResource(R.string.cancel)) }
        }
        is RunState.Failed -> {
            Message(stringResource(R.string.measure_failed, run.message))
            Start(presenter, state)
        }
        RunState.Idle -> Start(presenter, state)
    }
}

@Composable
private fun Start(presenter: MeasurePresenter, state: MeasureState) {
    Button(onClick = presenter::run, enabled = state.chosen.isNotEmpty()) { Text(stringResource(R.string.measure_run)) }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Measured(row: MeasuredRow) {
    Card(Modifier.fillMaxWidth()) {
        // One stop for TalkBack: the figures are read together.
        Column(Modifier.padding(12.dp).semantics(mergeDescendants = true) {}, verticalArrangement = Arrangement.spacedBy(4.dp)) {
            Text(
                towerName(row.choice, row.accelerator),
                style = MaterialTheme.typography.titleMedium,
                modifier = Modifier.semantics { heading() },
            )
            Text(
                stringResource(
                    R.string.measure_accelerator, row.accelerator.id,
                    row.acceleratorObserved ?: stringResource(R.string.not_told), row.threads,
                ),
            )
            FlowRow(horizontalArrangement = Arrangement.spacedBy(16.dp)) {
                Text(stringResource(R.string.measure_p50, milliseconds(row.p50Ns)))
                Text(stringResource(R.string.measure_p90, milliseconds(row.p90Ns)))
                Text(stringResource(R.string.measure_load, milliseconds(row.loadNs)))
                val memory = row.peakBytes?.let { megabytes(it) } ?: stringResource(R.string.not_told)
                Text(stringResource(R.string.measure_memory, memory))
                Text(stringResource(R.string.measure_thermal, thermal(row.thermalStatus)))
            }
            // A time that may not be ranked is never shown without saying so.
            for (condition in row.invalid) {
                Text(
                    stringResource(R.string.measure_invalid, condition.code, condition.reason, condition.fix),
                    color = MaterialTheme.colorScheme.error,
                )
            }
        }
    }
}

@Composable
private fun thermal(status: Int?): String =
    status?.let { stringArrayResource(R.array.thermal_states).getOrNull(it) } ?: stringResource(R.string.not_told)

@Composable
private fun towerName(choice: Choice, accelerator: Accelerator?): String {
    val (runtime, precision) = choice.measured(accelerator)
    val tower = stringResource(if (choice.tower == Tower.IMAGE) R.string.tower_image else R.string.tower_text)
    return stringResource(R.string.measure_tower, tower, runtime, precision)
}

/** Gives the results to an application that the user chooses, and to no other. */
private fun share(context: Context, rows: List<MeasuredRow>) {
    val uris = ArrayList<Uri>(rows.map { FileProvider.getUriForFile(context, "${context.packageName}.files", File(it.record)) })
    val intent = Intent(Intent.ACTION_SEND_MULTIPLE).apply {
        type = "application/json"
        putParcelableArrayListExtra(Intent.EXTRA_STREAM, uris)
        clipData = ClipData.newRawUri(null, uris.first()).apply { uris.drop(1).forEach { addItem(ClipData.Item(it)) } }
        addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
    }
    context.startActivity(Intent.createChooser(intent, context.getString(R.string.measure_share)))
}
