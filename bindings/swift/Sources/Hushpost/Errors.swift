// What every error has, whatever its kind.
//
// `catch let error as HushpostError` and then `error.code`; or `catch HushpostError.Network` for a kind of them.

extension HushpostError {
    /// A stable name of the cause, in `snake_case`: `wrong_key`, `not_connected`, `verification_needed`…
    public var code: String { parts.code }

    /// What is wrong, for developers, in English. It may change, and is not for users.
    public var reason: String { parts.reason }

    /// Whether the same call may succeed later without anybody doing anything.
    public var retryable: Bool { parts.retryable }

    private var parts: (code: String, reason: String, retryable: Bool) {
        switch self {
        case let .Invalid(code, reason, retryable),
            let .NotFound(code, reason, retryable),
            let .NotAllowed(code, reason, retryable),
            let .Network(code, reason, retryable),
            let .Refused(code, reason, retryable),
            let .Store(code, reason, retryable),
            let .Media(code, reason, retryable),
            let .Cancelled(code, reason, retryable),
            let .Internal(code, reason, retryable):
            (code, reason, retryable)
        }
    }
}

extension HushpostError: CustomStringConvertible, CustomDebugStringConvertible {
    /// The reason and the code. None holds a key or what a user wrote.
    public var description: String { "\(reason) (\(code))" }

    /// As `description`; the generated `errorDescription`, and so `localizedDescription`, takes it from here.
    public var debugDescription: String { description }
}
