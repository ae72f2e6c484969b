/// What one look at this host found.
public struct DoctorFinding: Sendable, Hashable {
  /// How it stands.
  public enum Verdict: Sendable, Hashable {
    /// As it should be, in a few words.
    case ok(String)
    /// Something to know, with which nothing is to be done now.
    case note(String)
    /// It makes numbers wrong or names missing: a sentence that ends with what to do.
    case problem(String)
  }

  /// What was looked at, in a word or two.
  public let subject: String
  /// How it stands.
  public let verdict: Verdict

  package init(_ subject: String, _ verdict: Verdict) {
    self.subject = subject
    self.verdict = verdict
  }

  /// Whether something is to be done.
  public var isProblem: Bool { if case .problem = verdict { true } else { false } }
}

extension DoctorFinding: CustomStringConvertible {
  /// A line: `ok`, `note` or `problem`, the subject, what there is to say.
  public var description: String {
    switch verdict {
    case .ok(let text): "ok       \(subject): \(text)"
    case .note(let text): "note     \(subject): \(text)"
    case .problem(let text): "problem  \(subject): \(text)"
    }
  }
}
