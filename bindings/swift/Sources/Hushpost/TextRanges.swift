// Ranges of texts: the core counts bytes of UTF-8, Swift has `String.Index`, text views count UTF-16.

import Foundation

extension TextRange {
    /// The part of a text as a range of that text; none if it is not within it, or not at whole characters.
    public func range(in text: String) -> Range<String.Index>? {
        let bytes = text.utf8
        guard start <= end,
            let lower = bytes.index(bytes.startIndex, offsetBy: Int(start), limitedBy: bytes.endIndex),
            let upper = bytes.index(lower, offsetBy: Int(end - start), limitedBy: bytes.endIndex),
            lower.samePosition(in: text.unicodeScalars) != nil,
            upper.samePosition(in: text.unicodeScalars) != nil
        else { return nil }
        return lower..<upper
    }

    /// The same for what counts UTF-16, such as `NSAttributedString`.
    public func nsRange(in text: String) -> NSRange? {
        range(in: text).map { NSRange($0, in: text) }
    }

    /// A part of a text, from a range of that very text: for a ``Mention``.
    public init(_ range: Range<String.Index>, in text: String) {
        let bytes = text.utf8
        self.init(
            start: UInt32(clamping: bytes.distance(from: bytes.startIndex, to: range.lowerBound)),
            end: UInt32(clamping: bytes.distance(from: bytes.startIndex, to: range.upperBound))
        )
    }

    /// The same from a range in UTF-16; none if it is not within the text.
    public init?(_ range: NSRange, in text: String) {
        guard let range = Range(range, in: text) else { return nil }
        self.init(range, in: text)
    }
}

extension Message {
    /// What it says as text: a text's body, or the caption of files. Highlights and mentions are ranges of it.
    public var body: String? {
        switch content {
        case let .text(text): text.body
        case let .attachments(_, caption): caption?.body
        default: nil
        }
    }
}
