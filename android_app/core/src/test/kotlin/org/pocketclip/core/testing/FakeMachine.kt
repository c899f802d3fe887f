package org.pocketclip.core.testing

import java.io.File
import org.pocketclip.core.MachineException
import org.pocketclip.core.machine.Disturbance
import org.pocketclip.core.machine.Machine
import org.pocketclip.core.machine.ProcessMemory
import org.pocketclip.core.machine.Watch
import org.pocketclip.core.measuring.Clocks
import org.pocketclip.core.records.MachineState

/** A machine that tells what it is told to; `states` counts how often it was asked. */
class FakeMachine(private val state: (Int) -> MachineState = { Launches.state() }, private val cores: Int = 4) : Machine {
    var states = 0
        private set
    var keptTo: List<Int>? = null
        private set

    override val memory: ProcessMemory = object : ProcessMemory {
        private var resident = 1000L

        override fun residentBytes(): Long = resident.also { resident += 100 }

        override fun peakBytes(): Long = resident + 1

        override fun proportionalBytes(): Long? = null

        override fun fileMappedBytes(): Long = 7

        override fun resetPeak(): Boolean = true
    }

    override fun state(): MachineState = state(states++)

    override fun watch(): Watch = Watch { Disturbance(0.5, 0.01, null) }

    override fun keepToCores(cores: List<Int>) {
        if (cores.any { it >= this.cores }) throw MachineException("there are no cores $cores")
        keptTo = cores
    }

    override fun dropFileCache(file: File): Boolean = file.isFile
}

/** Clocks that go on by themselves, `stepNs` at each look, and by what is added. */
class FakeClocks(private val stepNs: Long = 0, var now: Long = 0, var wallJumpNs: Long = 0) : Clocks {
    override fun nanoTime(): Long = now.also { now += stepNs }

    override fun wallNs(): Long = now + wallJumpNs
}
