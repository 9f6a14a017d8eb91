// Tests wait for what happens, never for time to pass. A wait that takes too long is a hang, and says for what.

import Foundation
import Hushpost
import XCTest

/// Longest wait for anything, on a loaded machine.
let patience: Duration = .seconds(60)

/// It did not happen.
struct Hang: Error, CustomStringConvertible {
    let what: String
    var description: String { "waited \(patience) in vain for \(what)" }
}

/// Does something, and gives up when it takes too long, even if it cannot be cancelled.
func within<Result: Sendable>(
    _ what: String,
    _ work: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    let (ends, end) = AsyncStream<Swift.Result<Result, any Error>>.makeStream()
    let working = Task {
        do {
            end.yield(.success(try await work()))
        } catch {
            end.yield(.failure(error))
        }
    }
    let clock = Task {
        try await Task.sleep(for: patience)
        end.yield(.failure(Hang(what: what)))
    }
    defer {
        working.cancel()
        clock.cancel()
    }
    for await result in ends {
        return try result.get()
    }
    throw CancellationError()
}

/// The first item of a stream that is looked for.
func first<Item: Sendable, Found: Sendable>(
    _ what: String,
    of stream: HushpostStream<Item>,
    where look: @escaping @Sendable (Item) async throws -> Found?
) async throws -> Found {
    try await within(what) {
        for try await item in stream {
            if let found = try await look(item) {
                return found
            }
        }
        throw Hang(what: "\(what): the stream ended")
    }
}

/// Fails unless it is refused with this code. Gives the error.
@discardableResult
func refused<Result>(
    _ code: String,
    file: StaticString = #filePath,
    line: UInt = #line,
    _ work: () async throws -> Result
) async -> HushpostError? {
    do {
        _ = try await work()
        XCTFail("this was to be refused with \(code)", file: file, line: line)
    } catch let error as HushpostError {
        XCTAssertEqual(error.code, code, error.reason, file: file, line: line)
        XCTAssertFalse(error.reason.isEmpty, file: file, line: line)
        return error
    } catch {
        XCTFail("an error of another kind: \(error)", file: file, line: line)
    }
    return nil
}

/// A folder that is gone when the last who holds it lets it go.
final class TemporaryFolder: Sendable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory
            .appendingPathComponent("hushpost-\(UUID().uuidString)", isDirectory: true)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    func path(_ name: String) -> String {
        url.appendingPathComponent(name).path
    }
}
