// Feeds as asynchronous sequences.
//
//   feed.next(atMost:)  ──▶  a batch  ──▶  for try await item in stream
//           ▲ the loop was left, the task cancelled, or the stream let go: the feed ends

/// What happens, one thing after the other, for one `for try await` loop.
///
/// It begins when it is made, so nothing is missed between asking for it and the loop. It ends, without an error, when
/// the client is shut down, when the task that waits is cancelled, when the loop is left, and after ``cancel()``. From
/// then on it is empty: ask for another one. Two loops over one stream would share its items between them.
public struct HushpostStream<Element: Sendable>: AsyncSequence, Sendable {
    private let source: Source<Element>

    init(_ feed: some Feed<Element>) throws {
        source = Source(feed, handle: try feed.cancelHandle())
    }

    /// Ends it, from anywhere. Who waits for the next item gets the end.
    public func cancel() {
        source.cancel()
    }

    /// For `for try await`. When the iterator goes, the stream ends.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(source)
    }

    /// What a loop takes items from.
    public struct AsyncIterator: AsyncIteratorProtocol, Sendable {
        private let loop: Loop<Element>
        private var batch: ArraySlice<Element> = []

        fileprivate init(_ source: Source<Element>) {
            loop = Loop(source)
        }

        /// Waits for the next item; none: it has ended.
        ///
        /// - Throws: ``HushpostError``, for a fault of the library alone.
        public mutating func next() async throws -> Element? {
            let source = loop.source
            if Task.isCancelled {
                source.cancel()
                return nil
            }
            if let item = batch.popFirst() {
                return item
            }
            batch = try await withTaskCancellationHandler {
                try await source.next()
            } onCancel: {
                source.cancel()
            }
            return batch.popFirst()
        }
    }
}

/// What the generated feeds have in common.
protocol Feed<Item>: Sendable {
    associatedtype Item: Sendable
    func next(atMost: UInt32) async throws -> [Item]
    func cancelHandle() throws -> CancelHandle
}

extension EventFeed: Feed {}
extension ConnectionStateFeed: Feed {}
extension ConversationListFeed: Feed {}
extension ProgressFeed: Feed {}

/// A feed, ended when nobody holds it any more.
private final class Source<Element: Sendable>: Sendable {
    private let feed: any Feed<Element>
    private let handle: CancelHandle

    init(_ feed: some Feed<Element>, handle: CancelHandle) {
        self.feed = feed
        self.handle = handle
    }

    deinit {
        cancel()
    }

    func next() async throws -> ArraySlice<Element> {
        // Few enough that a loop which is left has not taken much that nobody will see.
        ArraySlice(try await feed.next(atMost: 64))
    }

    func cancel() {
        // Cancelling does not fail; and if it did, there would be nothing to do about it.
        try? handle.cancel()
    }
}

/// A loop over a source. When it is left its iterator goes, and this with it, even if the stream is still held.
private final class Loop<Element: Sendable>: Sendable {
    let source: Source<Element>

    init(_ source: Source<Element>) {
        self.source = source
    }

    deinit {
        source.cancel()
    }
}

extension Client {
    /// What happens from now on. Events are hints, the database is the truth: after `missed` read again what is shown.
    public func events() throws -> HushpostStream<Event> {
        try HushpostStream(eventStream())
    }

    /// The connection's state now, and every change.
    public func connectionStates() throws -> HushpostStream<ConnectionState> {
        try HushpostStream(connectionStateStream())
    }

    /// The list of conversations and all its changes: ``ListChange/apply(to:)`` keeps a copy equal.
    public func conversationList(archived: Bool = false) throws -> HushpostStream<ListChange> {
        try HushpostStream(conversationListStream(archived: archived))
    }
}

extension Upload {
    /// How far it is, now and whenever that changes; ends with it. Leaving the loop does not stop the upload:
    /// `cancelHandle().cancel()` does.
    public func progress() throws -> HushpostStream<Progress> {
        try HushpostStream(progressStream())
    }
}

extension Download {
    /// How far it is, now and whenever that changes; ends with it. Leaving the loop does not stop the download:
    /// `cancelHandle().cancel()` does.
    public func progress() throws -> HushpostStream<Progress> {
        try HushpostStream(progressStream())
    }
}

extension ListChange {
    /// Makes this change in a copy of the list. A change that does not fit is left out; the next `reset` mends it.
    public func apply(to list: inout [ConversationSummary]) {
        switch self {
        case let .reset(entries):
            list = entries
        case let .insert(index, entry):
            guard Int(index) <= list.count else { return }
            list.insert(entry, at: Int(index))
        case let .update(index, entry):
            guard list.indices.contains(Int(index)) else { return }
            list[Int(index)] = entry
        case let .remove(index):
            guard list.indices.contains(Int(index)) else { return }
            list.remove(at: Int(index))
        }
    }
}
