package org.pocketclip.app.photos

import android.content.ContentResolver
import android.net.Uri
import android.provider.DocumentsContract
import android.provider.DocumentsContract.Document

/** A file in a folder that the user gave access to; [path] is relative to that folder. */
data class DocumentFile(val uri: Uri, val path: String, val name: String, val type: String, val modifiedMs: Long)

/** Reads folders of the Storage Access Framework. */
class Documents(private val resolver: ContentResolver) {
    /**
     * All files below a tree, folder by folder.
     *
     * @throws SecurityException access to the tree was taken away.
     */
    fun walk(tree: Uri): Sequence<DocumentFile> =
        walk(tree, DocumentsContract.getTreeDocumentId(tree), "", DEEPEST)

    private fun walk(tree: Uri, folder: String, path: String, depth: Int): Sequence<DocumentFile> = sequence {
        val folders = mutableListOf<Pair<String, String>>()
        for (row in children(tree, folder)) {
            val rowPath = if (path.isEmpty()) row.name else "$path/${row.name}"
            if (row.type == Document.MIME_TYPE_DIR) {
                folders += row.id to rowPath
            } else {
                val uri = DocumentsContract.buildDocumentUriUsingTree(tree, row.id)
                yield(DocumentFile(uri, rowPath, row.name, row.type, row.modifiedMs))
            }
        }
        if (depth > 0) for ((id, below) in folders) yieldAll(walk(tree, id, below, depth - 1))
    }

    private class Row(val id: String, val name: String, val type: String, val modifiedMs: Long)

    private fun children(tree: Uri, folder: String): List<Row> {
        val uri = DocumentsContract.buildChildDocumentsUriUsingTree(tree, folder)
        return resolver.query(uri, COLUMNS, null, null, null)?.use { cursor ->
            val rows = ArrayList<Row>(cursor.count)
            while (cursor.moveToNext()) {
                rows += Row(cursor.getString(0), cursor.getString(1).orEmpty(), cursor.getString(2).orEmpty(), cursor.getLong(3))
            }
            rows
        }.orEmpty()
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
