package org.hushpost.android

import android.content.Context
import android.os.Build
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import android.security.keystore.StrongBoxUnavailableException
import android.util.AtomicFile
import java.io.File
import java.io.IOException
import java.security.GeneralSecurityException
import java.security.KeyStore
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec
import org.hushpost.DatabaseKey

/**
 * The database's key, wrapped by a key of the Android Keystore that never leaves it: AES-256-GCM, in the StrongBox if the
 * device has one. Not bound to the screen lock, because a push has to be read while the device is locked.
 */
object AndroidDatabaseKey {
    private const val ALIAS = "org.hushpost.database"
    private const val KEYSTORE = "AndroidKeyStore"
    private const val TRANSFORMATION = "AES/GCM/NoPadding"
    private const val NONCE_LENGTH = 12
    private const val TAG_BITS = 128
    private const val KEY_LENGTH = 32

    /** It cannot be unwrapped: the Keystore lost its key, or the file is damaged. Without it the database cannot be read. */
    class Lost(cause: Throwable) : Exception("the database's key cannot be unwrapped: set the account up anew", cause)

    /**
     * The key that was kept, or a new one if there is none and no database either.
     *
     * @throws Lost if it was kept and cannot be unwrapped. Nothing is deleted: that is the user's to decide.
     */
    @Synchronized
    fun load(context: Context): DatabaseKey {
        val file = HushpostFiles.wrappedKey(context)
        if (file.exists()) return unwrap(file)
        if (HushpostFiles.database(context).exists()) throw Lost(IOException("the wrapped key is gone"))
        val key = DatabaseKey.generate()
        val bytes = key.bytes()
        try {
            wrap(bytes, file)
        } finally {
            bytes.fill(0)
        }
        return key
    }

    private fun wrap(bytes: ByteArray, file: File) {
        val cipher = Cipher.getInstance(TRANSFORMATION)
        cipher.init(Cipher.ENCRYPT_MODE, wrappingKey() ?: newWrappingKey())
        val wrapped = cipher.iv + cipher.doFinal(bytes)
        // Whole on the disk before a database is made with it.
        val whole = AtomicFile(file)
        val out = whole.startWrite()
        try {
            out.write(wrapped)
            whole.finishWrite(out)
        } catch (error: IOException) {
            whole.failWrite(out)
            throw error
        }
    }

    private fun unwrap(file: File): DatabaseKey = try {
        val wrapped = AtomicFile(file).readFully()
        val key = wrappingKey() ?: throw GeneralSecurityException("the Keystore has no key of that name")
        val cipher = Cipher.getInstance(TRANSFORMATION)
        cipher.init(Cipher.DECRYPT_MODE, key, GCMParameterSpec(TAG_BITS, wrapped, 0, NONCE_LENGTH))
        val bytes = cipher.doFinal(wrapped, NONCE_LENGTH, wrapped.size - NONCE_LENGTH)
        try {
            if (bytes.size != KEY_LENGTH) throw GeneralSecurityException("a key of ${bytes.size} bytes")
            DatabaseKey.fromBytes(bytes)
        } finally {
            bytes.fill(0)
        }
    } catch (error: GeneralSecurityException) {
        throw Lost(error)
    } catch (error: IllegalArgumentException) {
        // A file that is too short.
        throw Lost(error)
    }

    private fun wrappingKey(): SecretKey? =
        KeyStore.getInstance(KEYSTORE).apply { load(null) }.getKey(ALIAS, null) as SecretKey?

    private fun newWrappingKey(): SecretKey {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) {
            try {
                return generate { setIsStrongBoxBacked(true) }
            } catch (_: StrongBoxUnavailableException) {
                // Most devices have none.
            }
        }
        return generate {}
    }

    private fun generate(more: KeyGenParameterSpec.Builder.() -> Unit): SecretKey {
        val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
        val spec = KeyGenParameterSpec.Builder(ALIAS, purposes)
            .setKeySize(KEY_LENGTH * 8)
            .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
            .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
            .apply(more)
            .build()
        return KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, KEYSTORE).apply { init(spec) }.generateKey()
    }
}
