package org.pocketclip.app.search

import android.content.ContentValues
import android.content.Context
import android.database.sqlite.SQLiteDatabase
import android.database.sqlite.SQLiteOpenHelper
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Embeddings in one database file of the application's own folder; it is in no backup and leaves the device in no way. */
class SqliteEmbeddingStore(context: Context, name: String? = FILE) :
    SQLiteOpenHelper(context, name, null, VERSION), EmbeddingStore {

    override fun onConfigure(db: SQLiteDatabase) {
        // Searching goes on while photos are added.
        db.enableWriteAheadLogging()
    }

    override fun onCreate(db: SQLiteDatabase) {
        db.execSQL(
            """
            CREATE TABLE embedding (
              folder TEXT NOT NULL,
              bundle_sha256 TEXT NOT NULL,
              document TEXT NOT NULL,
              name TEXT NOT NULL,
              modified_ms INTEGER NOT NULL,
              float32 BLOB NOT NULL,
              PRIMARY KEY (folder, bundle_sha256, document)
            ) WITHOUT ROWID
            """.trimIndent(),
        )
    }

    /** Embeddings can always be made again: no older form is carried over. */
    override fun onUpgrade(db: SQLiteDatabase, oldVersion: Int, newVersion: Int) {
        db.execSQL("DROP TABLE IF EXISTS embedding")
        onCreate(db)
    }

    override fun known(folder: String, bundleSha256: String): Map<String, Long> = readableDatabase
        .query("embedding", arrayOf("document", "modified_ms"), WHERE, arrayOf(folder, bundleSha256), null, null, null)
        .use { cursor ->
            buildMap { while (cursor.moveToNext()) put(cursor.getString(0), cursor.getLong(1)) }
        }

    override fun put(folder: String, bundleSha256: String, embedding: StoredEmbedding) {
        val row = ContentValues().apply {
            put("folder", folder)
            put("bundle_sha256", bundleSha256)
            put("document", embedding.document)
            put("name", embedding.name)
            put("modified_ms", embedding.modifiedMs)
            put("float32", bytes(embedding.values))
        }
        writableDatabase.insertWithOnConflict("embedding", null, row, SQLiteDatabase.CONFLICT_REPLACE)
    }

    override fun retain(folder: String, bundleSha256: String, documents: Set<String>) {
        val gone = known(folder, bundleSha256).keys - documents
        val database = writableDatabase
        database.beginTransaction()
        try {
            for (document in gone) {
                database.delete("embedding", "$WHERE AND document = ?", arrayOf(folder, bundleSha256, document))
            }
            database.setTransactionSuccessful()
        } finally {
            database.endTransaction()
        }
    }

    override fun all(folder: String, bundleSha256: String): List<StoredEmbedding> = readableDatabase
        .query(
            "embedding", arrayOf("document", "name", "modified_ms", "float32"), WHERE, arrayOf(folder, bundleSha256),
            null, null, "document",
        )
        .use { cursor ->
            buildList {
                while (cursor.moveToNext()) {
                    add(StoredEmbedding(cursor.getString(0), cursor.getString(1), cursor.getLong(2), floats(cursor.getBlob(3))))
                }
            }
        }

    private fun bytes(values: FloatArray): ByteArray {
        val buffer = ByteBuffer.allocate(values.size * Float.SIZE_BYTES).order(ByteOrder.LITTLE_ENDIAN)
        buffer.asFloatBuffer().put(values)
        return buffer.array()
    }

    private fun floats(bytes: ByteArray): FloatArray {
        val buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
        return FloatArray(buffer.remaining()).also(buffer::get)
    }

    private companion object {
        const val FILE = "embeddings.sqlite"
        const val VERSION = 1
        const val WHERE = "folder = ? AND bundle_sha256 = ?"
    }
}
