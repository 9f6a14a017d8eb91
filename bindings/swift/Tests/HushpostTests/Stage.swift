// The stage: a relay and a user of the Rust crate, as a program that is spoken to by lines. See SCENARIO.md.

import Foundation

/// The program at `HUSHPOST_STAGE_BIN`. It ends, with its relay, when this is let go.
final class StageProgram: Sendable {
    let relay: String
    let relayName: String
    let rustUser: String
    private let input: FileHandle
    private let lines: Lines

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func start() async throws -> StageProgram {
        guard let path = ProcessInfo.processInfo.environment["HUSHPOST_STAGE_BIN"], !path.isEmpty else {
            throw Failure(description: "HUSHPOST_STAGE_BIN is not set: run the tests with bindings/swift/run-tests")
        }
        let process = Process()
        let (input, output) = (Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: path)
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let lines = Lines(output.fileHandleForReading)
        var said: [String: [String]] = [:]
        while said["ready"] == nil {
            let words = try await lines.next().split(separator: " ").map(String.init)
            said[words.first ?? ""] = Array(words.dropFirst())
        }
        guard let relay = said["relay"], relay.count == 2, let rust = said["rust"]?.first else {
            throw Failure(description: "the stage did not say where the relay is: \(said)")
        }
        return StageProgram(
            relay: relay[0], relayName: relay[1], rustUser: rust,
            input: input.fileHandleForWriting, lines: lines
        )
    }

    private init(relay: String, relayName: String, rustUser: String, input: FileHandle, lines: Lines) {
        self.relay = relay
        self.relayName = relayName
        self.rustUser = rustUser
        self.input = input
        self.lines = lines
    }

    deinit {
        try? input.close()
    }

    /// `kill`, `start`, `wipe` or `renew`. Returns when it is done.
    func perform(_ command: String) async throws {
        try input.write(contentsOf: Data("\(command)\n".utf8))
        let answer = try await lines.next()
        guard answer == "done" else {
            throw Failure(description: "\(command): \(answer)")
        }
    }
}

/// What a program prints, line by line. A thread reads it: a read cannot be given up.
private final class Lines: Sendable {
    private let stream: AsyncStream<String>

    init(_ output: FileHandle) {
        let (stream, continuation) = AsyncStream<String>.makeStream()
        self.stream = stream
        Thread.detachNewThread {
            var unfinished = Data()
            while case let some = output.availableData, !some.isEmpty {
                unfinished.append(some)
                while let end = unfinished.firstIndex(of: UInt8(ascii: "\n")) {
                    continuation.yield(String(decoding: unfinished[..<end], as: UTF8.self))
                    unfinished = Data(unfinished[(end + 1)...])
                }
            }
            continuation.finish()
        }
    }

    func next() async throws -> String {
        let stream = stream
        return try await within("a line of the stage") {
            for await line in stream {
                return line
            }
            throw StageProgram.Failure(description: "the stage has ended; what it said on standard error is above")
        }
    }
}
