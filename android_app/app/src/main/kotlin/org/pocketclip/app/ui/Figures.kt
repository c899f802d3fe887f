package org.pocketclip.app.ui

import androidx.compose.runtime.Composable
import androidx.compose.ui.res.stringResource
import org.pocketclip.app.R

/** Nanoseconds as milliseconds, as the device's language writes them. */
@Composable
fun milliseconds(ns: Number): String = stringResource(R.string.milliseconds, ns.toDouble() / 1e6)

/** Bytes as megabytes of a million bytes. */
@Composable
fun megabytes(bytes: Long): String = stringResource(R.string.megabytes, bytes / 1e6)

@Composable
fun percent(share: Double): String = stringResource(R.string.percent, share * 100)
