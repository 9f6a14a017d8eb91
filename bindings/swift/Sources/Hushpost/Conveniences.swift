// What reads better in Swift.

import Foundation

extension Client {
    /// Opens a client, does something with it, and shuts it down, whatever happens: for bots and tests. An app keeps one
    /// client for as long as it runs.
    public static func withSession<Result>(
        _ config: Config,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (Client) async throws -> sending Result
    ) async throws -> sending Result {
        let client = try await Client.open(config: config)
        let result: Result
        do {
            result = try await body(client)
        } catch {
            // The first error is the one to know.
            try? await client.shutDown()
            throw error
        }
        try await client.shutDown()
        return result
    }
}

extension Media {
    /// As `upload(path:options:)`, for a file's URL. Of a picked document, hold
    /// `startAccessingSecurityScopedResource()` until the upload is among the unfinished ones, or has ended.
    public func upload(file: URL, options: UploadOptions = UploadOptions()) throws -> Upload {
        try upload(path: file.path, options: options)
    }

    /// As `save(file:path:)`, for a file's URL.
    public func save(file: FileRef, to place: URL) async throws {
        try await save(file: file, path: place.path)
    }
}

extension TimeInterval {
    /// A `Duration` as the SDK takes it: seconds. A negative one is none.
    public init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self = max(0, Double(seconds) + Double(attoseconds) / 1e18)
    }
}

/// As `processPush(config:budget:)`, with a `Duration`: 20 seconds are a good budget, and iOS gives 30.
public func processPush(config: Config, budget: Duration) async throws -> PushResult {
    try await processPush(config: config, budget: TimeInterval(budget))
}
