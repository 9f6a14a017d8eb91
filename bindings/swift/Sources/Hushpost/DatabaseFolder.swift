// Where a database lies on a phone.

import Foundation

/// A folder for a database and what lies beside it, kept out of backups and readable while the phone is locked.
public struct DatabaseFolder: Sendable {
    /// The folder.
    public let url: URL

    /// Makes the folder, or takes the one that is there.
    ///
    /// What is in it is not backed up: a database that goes back in time has to be set up anew, and the key that opens it
    /// stays on the device. On iOS its files can be read from the first unlocking after a restart on, as a notification
    /// extension needs; they are encrypted by the SDK in any case.
    ///
    /// - Throws: an error of the file system.
    public init(at place: URL) throws {
        var attributes: [FileAttributeKey: Any] = [:]
        #if os(iOS)
        attributes[.protectionKey] = FileProtectionType.completeUntilFirstUserAuthentication
        #endif
        let files = FileManager.default
        try files.createDirectory(at: place, withIntermediateDirectories: true, attributes: attributes)
        #if canImport(Darwin)
        // The attributes above are for a folder that is new.
        try files.setAttributes(attributes, ofItemAtPath: place.path)
        var values = URLResourceValues()
        values.isExcludedFromBackup = true
        var folder = place
        try folder.setResourceValues(values)
        #endif
        url = place
    }

    #if canImport(Darwin)
    /// The folder `Hushpost` in an app group's container, which an app and its notification extension share.
    ///
    /// - Throws: `CocoaError(.fileNoSuchFile)` if the app is not in that group: check its entitlements.
    public init(appGroup: String) throws {
        let container = FileManager.default.containerURL(forSecurityApplicationGroupIdentifier: appGroup)
        guard let container else { throw CocoaError(.fileNoSuchFile) }
        try self.init(at: container.appendingPathComponent("Hushpost", isDirectory: true))
    }
    #endif

    /// The path for `Config.database`.
    public func database(_ name: String = "messages.db") -> String {
        url.appendingPathComponent(name, isDirectory: false).path
    }
}
