package org.pocketclip.app.photos

import android.content.ContentResolver
import android.net.Uri
import android.os.Bundle
import android.provider.DocumentsContract
import android.provider.DocumentsContract.Document
import org.pocketclip.core.MachineException

/** A file in a folder that the user gave access to; [path] is relative to that folder. */
data class DocumentFile(val uri: Uri, val path: String, val name: String, val type: String, val modifiedMs: Long)

/** Reads folders of the Storage Access Framework. */
class Documents(private val resolver: ContentResolver) {
    /**
     * All files below a tree, folder by folder.
     *
     * @param incomplete is told of each folder that may hold more than is listed, in words for people.
     * @throws SecurityException access to the tree was taken away.
     * @throws MachineException a folder may hold more than is listed, where nobody else is told.
     */
    fun walk(tree: Uri, incomplete: (String) -> Unit = { throw MachineException(it) }): Sequence<DocumentFile> =
        walk(tree, DocumentsContract.getTreeDocumentId(tree), "", DEEPEST, incomplete)

    private fun walk(
        tree: Uri,
        folder: String,
        path: String,
        depth: Int,
        incomplete: (String) -> Unit,
    ): Sequence<DocumentFile> = sequence {
        val folders = mutableListOf<Pair<String, String>>()
        for (row in children(tree, folder) { incomplete("the folder '${path.ifEmpty { "/" }}' $it") }) {
            val rowPath = if (path.isEmpty()) row.name else "$path/${row.name}"
            if (row.type == Document.MIME_TYPE_DIR) {
                folders += row.id to rowPath
            } else {
                val uri = DocumentsContract.buildDocumentUriUsingTree(tree, row.id)
                yield(DocumentFile(uri, rowPath, row.name, row.type, row.modifiedMs))
            }
        }
        if (depth > 0) for ((id, below) in folders) yieldAll(walk(tree, id, below, depth - 1, incomplete))
    }

    private class Row(val id: String, val name: String, val type: String, val modifiedMs: Long)

    private fun children(tree: Uri, folder: String, incomplete: (String) -> Unit): List<Row> {
        val uri = DocumentsContract.buildChildDocumentsUriUsingTree(tree, folder)
        val cursor = resolver.query(uri, COLUMNS, null, null, null)
        if (cursor == null) {
            incomplete("cannot be read now; see whether its storage is there, and try again")
            return emptyList()
        }
        return cursor.use {
            val rows = ArrayList<Row>(cursor.count)
            while (cursor.moveToNext()) {
                rows += Row(cursor.getString(0), cursor.getString(1).orEmpty(), cursor.getString(2).orEmpty(), cursor.getLong(3))
            }
            whyIncomplete(cursor.extras)?.let(incomplete)
            rows
        }
    }

    /** What providers say of files that they have not listed, e.g. while they fetch the list; null where that is all. */
    private fun whyIncomplete(extras: Bundle): String? {
        val error = extras.getString(DocumentsContract.EXTRA_ERROR)
        return when {
            error != null -> "cannot be read now ($error); try again"
            extras.getBoolean(DocumentsContract.EXTRA_LOADING) -> "is still being loaded; try again in a moment"
            else -> null
        }
    }

    private companion object {
        /** Deeper folders are left out: providers may nest without end. */
        const val DEEPEST = 16

        val COLUMNS = arrayOf(
            Document.COLUMN_DOCUMENT_ID,
            Document.COLUMN_DISPLAY_NAME,
            Document.COLUMN_MIME_TYPE,
            Document.COLUMN_LAST_MODIFIED,
        )
    }
}
