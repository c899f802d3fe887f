package org.pocketclip.app

import java.io.File
import java.io.IOException
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.pocketclip.app.bundles.BundleSource
import org.pocketclip.app.bundles.BundleStore
import org.pocketclip.app.bundles.SourceFile
import org.pocketclip.core.BundleCorruptException
import org.pocketclip.core.BundleException
import org.pocketclip.core.BundleHostileException
import org.pocketclip.core.BundleMissingException
import org.pocketclip.core.MachineException

class BundleStoreTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val place by lazy { File(temporary.root, "bundles") }
    private val store by lazy { BundleStore(place) }

    private fun files(vararg more: Pair<String, ByteArray>) = BundleSource.Folder {
        val real = RealBundle.folder
        real.walkTopDown().filter(File::isFile)
            .map { file -> SourceFile(file.relativeTo(real).invariantSeparatorsPath) { file.inputStream() } } +
            more.map { (path, content) -> SourceFile(path) { content.inputStream() } }
    }

    @Test
    fun `zips and folders are taken over, checked and remembered`() {
        assertNull(store.active())
        val zip = RealBundle.zip(temporary.newFile())
        val bundle = store.import(BundleSource.Zip { zip.inputStream() })
        assertNull("not before it was seen to load", store.active())
        File(place, "b".repeat(64)).mkdirs()
        store.activate(bundle)
        assertEquals(File(place, bundle.sha256), store.active())
        assertEquals("the others are gone", setOf(bundle.sha256, "active"), place.list()!!.toSet())
        assertEquals(bundle.sha256, store.import(files()).sha256)
        assertEquals(bundle.folder, BundleStore(place).active())
    }

    @Test
    fun `what cannot be used leaves nothing behind, and the bundle before stays`() {
        val active = store.import(files()).also(store::activate).folder
        val altered = RealBundle.zip(temporary.newFile()) { name, content ->
            if (name.startsWith("text/")) content.also { it[it.size / 2] = (it[it.size / 2] + 1).toByte() } else content
        }
        assertThrows(BundleCorruptException::class.java) { store.import(BundleSource.Zip { altered.inputStream() }) }
        assertThrows(BundleException::class.java) { store.import(BundleSource.Zip { "no zip".byteInputStream() }) }
        assertThrows(BundleHostileException::class.java) { store.import(files("../escape" to ByteArray(1))) }
        assertThrows(BundleException::class.java) { store.import(files("unlisted.bin" to ByteArray(1))) }
        assertThrows(BundleMissingException::class.java) {
            store.import(BundleSource.Folder { sequenceOf(SourceFile("photo.jpg") { "x".byteInputStream() }) })
        }
        assertThrows(MachineException::class.java) {
            store.import(BundleSource.Zip { throw IOException("taken away") })
        }
        assertEquals(active, store.active())
        assertEquals(setOf(active.name, "active"), place.list()!!.toSet())
        assertTrue(!File(temporary.root, "escape").exists())
    }

    @Test
    fun `more bytes than allowed are never written`() {
        val small = BundleStore(place, maximumBytes = 1000)
        assertThrows(BundleHostileException::class.java) { small.import(files()) }
        assertThrows(BundleHostileException::class.java) { small.import(BundleSource.Zip { RealBundle.zip(temporary.newFile()).inputStream() }) }
        assertNull(small.active())
    }
}
