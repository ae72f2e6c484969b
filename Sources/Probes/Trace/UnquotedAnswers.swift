import Model

/// Answers of a trace that do not say which request they are about, and what follows from them all the same. Does no I/O.
///
/// A router need not quote more of what it drops than the ports (RFC 792), and the kernel hands on only what stands behind
/// them. Such an answer is a hop's where no other request can have caused it: a request has one answer at most, so it is enough
/// to count. An answer that comes as late as it likes is a request's that is still without one, so it misleads nobody.
struct UnquotedAnswers: Sendable {
  /// How many requests were sent; those of rounds before, which may still be answered, are among them.
  private var sent: Int
  private let older: Int
  /// How many of them have an answer that names its request.
  private var named = 0
  /// The answers that name none, in their order.
  private var counted: [TraceRound.Answer] = []
  /// Those that have come since `repeated`: another one like them may be a second copy.
  private var recent: Set<TraceRound.Answer> = []

  /// None have come, and `older` requests may still be answered.
  init(older: Int) { (sent, self.older) = (older, older) }

  /// How many have come.
  var count: Int { counted.count }
  /// How many requests may still be answered.
  var unanswered: Int { sent - named - counted.count }
  /// How many of this round may be: the answers may have been those of rounds before.
  var unansweredNow: Int { sent - older - named - max(0, counted.count - older) }

  /// Takes note of a request.
  mutating func addRequest() { sent += 1 }

  /// Takes note of an answer that names its request.
  mutating func addNamed() { named += 1 }

  /// A hop is asked once more to learn whose answers these are: each may come again.
  mutating func repeated() { recent = [] }

  /// Takes an answer that names no request; false where it may be a second copy, which counts for nothing.
  mutating func add(_ answer: TraceRound.Answer) -> Bool {
    guard unanswered > 0, recent.insert(answer).inserted else { return false }
    counted.append(answer)
    return true
  }

  /// Whether a hop has certainly given `answer`. `requests` has, for each request to the hop, how many answers had come before it
  /// was sent.
  ///
  /// From one of its requests on, more such answers have come than there are other requests that can have caused them.
  func isCertain(_ answer: TraceRound.Answer, of requests: [Int]) -> Bool {
    requests.enumerated().contains { index, before in
      let others = sent - named - before - (requests.count - index)
      return counted[before...].count { $0 == answer } > others
    }
  }
}
