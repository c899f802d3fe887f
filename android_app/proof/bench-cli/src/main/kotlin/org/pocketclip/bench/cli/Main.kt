package org.pocketclip.bench.cli

fun main() = println("to follow")
