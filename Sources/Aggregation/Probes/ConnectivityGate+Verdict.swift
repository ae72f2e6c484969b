public import Model

extension ConnectivityGate {
  /// What comes of a result, or of time that has passed.
  public struct Verdict: Sendable, Hashable {
    /// The results that count; those of one target in their order.
    public var admitted: [Admitted] = []
    /// What begins or ends.
    public var outage: Outage?
  }

  /// A result that counts, and when it came. Outages are measured from there, not from when it was admitted.
  public struct Admitted: Sendable, Hashable {
    /// What a round found.
    public var result: ProbeResult
    /// When it came.
    public var arrival: Instant
  }

  /// A result that is held back until the next round of the references.
  struct Held {
    var result: ProbeResult
    var since: Instant
    /// When it came; its round was over then.
    var arrival: Timestamp

    var admitted: Admitted { Admitted(result: result, arrival: since) }
  }

  /// What a reference said the last time.
  struct Answer {
    var isUp: Bool
    /// The first result in a row that said so.
    var first: Turn
  }

  /// When a result came, and when its round began.
  struct Turn {
    var at: Instant
    /// When the round began.
    var time: Timestamp
  }

  /// An outage of this host's network.
  struct Ongoing {
    /// When it was known as that, and the last round that failed with it.
    var known: Turn
    /// When the result came with which all references failed.
    var since: Instant
  }
}
