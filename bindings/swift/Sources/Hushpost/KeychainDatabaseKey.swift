// The database's key in the Keychain.

#if canImport(Security)
import Foundation
import Security

extension DatabaseKey {
    /// The key that the Keychain has under this name, or a new one that it has from now on.
    ///
    /// It stays on this device, in no backup, and can be read from the first unlocking after a restart on. With an access
    /// group an app and its notification extension share it; both need that group in their entitlements. If the item is
    /// lost, so is the database: nobody can open it any more.
    ///
    /// - Parameters:
    ///   - account: which key, if an app has more than one database.
    ///   - service: the item's service; the same in app and extension.
    ///   - accessGroup: the Keychain access group, with its team prefix; none for the app's own.
    /// - Throws: ``KeychainError``; after a restart and before the first unlocking ``KeychainError/isLocked`` is true.
    public static func keychain(
        account: String,
        service: String = "org.hushpost.database-key",
        accessGroup: String? = nil
    ) throws -> DatabaseKey {
        let item = KeychainItem(account: account, service: service, accessGroup: accessGroup)
        if let bytes = try item.read() {
            return try DatabaseKey.fromBytes(bytes: bytes)
        }
        let key = try DatabaseKey.generate()
        if try item.add(key.bytes()) {
            return key
        }
        // The other process was faster. Its key is the one.
        guard let bytes = try item.read() else { throw KeychainError(status: errSecItemNotFound) }
        return try DatabaseKey.fromBytes(bytes: bytes)
    }

    /// Removes the key from the Keychain. What it opened cannot be read any more: for signing out.
    ///
    /// - Throws: ``KeychainError``.
    public static func removeFromKeychain(
        account: String,
        service: String = "org.hushpost.database-key",
        accessGroup: String? = nil
    ) throws {
        try KeychainItem(account: account, service: service, accessGroup: accessGroup).remove()
    }
}

/// The Keychain said no.
public struct KeychainError: LocalizedError, Equatable, Sendable {
    /// What it said.
    public let status: OSStatus

    /// The device was restarted and not unlocked since: show a general notification, and try again later.
    public var isLocked: Bool { status == errSecInteractionNotAllowed }

    /// What to do about it, or what the system says.
    public var errorDescription: String? {
        if status == errSecMissingEntitlement {
            return "The app may not use this Keychain access group: add it to the entitlements, and sign the app."
        }
        let message = SecCopyErrorMessageString(status, nil) as String?
        return "\(message ?? "The Keychain refused") (\(status))"
    }
}

/// An item of the Keychain.
private struct KeychainItem {
    let account: String
    let service: String
    let accessGroup: String?

    private var query: [String: Any] {
        var query: [String: Any] = [
            kSecClass as String: kSecClassGenericPassword,
            kSecAttrService as String: service,
            kSecAttrAccount as String: account,
            // On a Mac there is an older one, which knows neither access groups nor locking.
            kSecUseDataProtectionKeychain as String: true,
        ]
        query[kSecAttrAccessGroup as String] = accessGroup
        return query
    }

    func read() throws -> Data? {
        var query = query
        query[kSecReturnData as String] = true
        query[kSecMatchLimit as String] = kSecMatchLimitOne
        var found: CFTypeRef?
        let status = SecItemCopyMatching(query as CFDictionary, &found)
        switch status {
        case errSecSuccess: return found as? Data
        case errSecItemNotFound: return nil
        default: throw KeychainError(status: status)
        }
    }

    /// False if there is one already.
    func add(_ bytes: Data) throws -> Bool {
        var item = query
        item[kSecValueData as String] = bytes
        item[kSecAttrAccessible as String] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
        let status = SecItemAdd(item as CFDictionary, nil)
        switch status {
        case errSecSuccess: return true
        case errSecDuplicateItem: return false
        default: throw KeychainError(status: status)
        }
    }

    func remove() throws {
        let status = SecItemDelete(query as CFDictionary)
        guard status == errSecSuccess || status == errSecItemNotFound else {
            throw KeychainError(status: status)
        }
    }
}
#endif
