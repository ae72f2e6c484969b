public import Model
public import SystemRuntime

/// What is to be known after a restart: the lines that wait to be mailed, when the last mail went, and the outage that is
/// under way. Does no I/O.
///
/// Its file has a line for each fact. Moments are ages in nanoseconds before the moment in `saved`, as the next process and
/// the next boot have other clocks.
public struct OutageMemory: Sendable, Hashable {
  /// What is watched: another start may watch something else.
  public var subject: String
  /// Since when it is down; nil while it is up.
  public var downSince: Instant?
  /// The lines that wait, oldest first.
  public var lines: [String] = []
  /// How many had no room.
  public var leftOut = 0
  /// When the last mail went that the back-off still counts.
  public var lastMail: Instant?
  /// How long the next mail has to wait after that one.
  public var gap = Duration.zero

  private static let head = "netconnmon 1"
  private static let tail = "end"

  /// Makes one that knows of nothing.
  public init(subject: String) { self.subject = subject }

  /// True where a start needs nothing of it.
  public var isEmpty: Bool { downSince == nil && lines.isEmpty && leftOut == 0 && lastMail == nil }

  /// Its file, written at `now`, which is the moment `saved`; empty where no file is needed.
  public func file(at now: Instant, _ saved: LastingMoment) -> [UInt8] {
    if isEmpty { return [] }
    func age(_ moment: Instant) -> Int64 { Self.nanoseconds(now - moment) }
    var text = [
      Self.head, "saved \(saved.sinceBoot) \(saved.wall) \(saved.boot)", "subject \(subject)",
    ]
    if let downSince { text.append("down \(age(downSince))") }
    if let lastMail { text.append("mailed \(age(lastMail)) \(Self.nanoseconds(gap))") }
    text.append("omitted \(leftOut)")
    text += lines.map { "line \($0)" }
    return Array((text + [Self.tail, ""]).joined(separator: "\n").utf8)
  }

  /// Reads a file at `now`, which is the moment `moment`; nil for one that is damaged.
  public init?(file: [UInt8], at now: Instant, _ moment: LastingMoment) {
    guard let text = String(validating: file, as: UTF8.self) else { return nil }
    var facts = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard facts.popLast() == "", facts.popLast() == Self.tail[...], facts.first == Self.head[...] else {
      return nil
    }
    self.init(subject: "")
    var saved: Instant?
    for fact in facts.dropFirst() {
      let name = fact.prefix { $0 != " " }
      let words = fact.split(separator: " ").dropFirst()
      let numbers = words.compactMap { Int64($0) }.filter { $0 >= 0 }
      // What is behind the name and its space.
      let rest = String(fact.dropFirst(name.count + 1))
      switch (name, saved, numbers.count) {
      case ("saved", nil, 2...):
        let boot = words.count == 3 ? words.last.map(String.init) ?? "" : ""
        let written = LastingMoment(boot: boot, sinceBoot: numbers[0], wall: numbers[1])
        saved = now - moment.elapsed(since: written)
      case ("subject", _, _): subject = rest
      case ("down", let saved?, 1): downSince = saved - .nanoseconds(numbers[0])
      case ("mailed", let saved?, 2):
        lastMail = saved - .nanoseconds(numbers[0])
        gap = .nanoseconds(numbers[1])
      case ("omitted", _, 1): leftOut = Int(min(numbers[0], 1_000_000))
      case ("line", _, _) where lines.count < MailBackOff.lineLimit: lines.append(rest)
      default: return nil
      }
    }
    if saved == nil { return nil }
  }

  /// 285 years at most, as far as 64 bits reach.
  private static func nanoseconds(_ duration: Duration) -> Int64 {
    let (seconds, attoseconds) = max(duration, .zero).components
    return min(seconds, 9_000_000_000) * 1_000_000_000 + attoseconds / 1_000_000_000
  }
}
