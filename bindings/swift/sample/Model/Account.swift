// Where this app keeps its account. The app and its notification extension say the same.

import Foundation
import Hushpost

enum Account {
    /// The app group that both are in; also in the `.entitlements` files.
    static let appGroup = "group.org.hushpost.sample"
    /// A relay on the Mac that runs the simulator.
    static let relay = "ws://localhost:4810"

    /// - Throws: `KeychainError` with `isLocked` after a restart, before the phone was unlocked once.
    static func config() throws -> Config {
        #if canImport(Security)
        let folder = try DatabaseFolder(appGroup: appGroup)
        // An app group is a Keychain access group too, and needs no team prefix.
        let key = try DatabaseKey.keychain(account: "main", accessGroup: appGroup)
        #else
        // Without a Keychain nothing could open it again, so it is a new one each time.
        let folder = try DatabaseFolder(
            at: FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString))
        let key = try DatabaseKey.generate()
        #endif
        return Config(database: folder.database(), key: key, relay: relay, manyProcesses: true)
    }
}
