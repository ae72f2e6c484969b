import SystemRuntime

/// How much of a directory was sent and acknowledged, as its state file keeps it.
public struct SendProgress: Sendable, Hashable {
  /// What the slices were made of: other logs, or other settings, make other slices.
  public struct Fingerprint: Sendable, Hashable {
    fileprivate let lines: [String]

    /// Of these logs, and the settings that shape slices, as any text.
    public init(logs: [LogFile], settings: String) {
      lines =
        logs.map { "file \($0.name) \($0.inode) \($0.size) \($0.modified.nanoseconds)" } + [
          "settings \(SendProgress.oneLine(settings))"
        ]
    }
  }

  /// What a state file says.
  public enum Stored: Sendable, Hashable {
    /// There is none, or it is of this work: so many slices are settled, from the first on, but for those that were refused.
    case acknowledged(Int, refused: Set<Int> = [])
    /// It is of other work or of none: all is sent again. Why.
    case unusable(reason: String)

    /// How many slices need not be sent again.
    public var count: Int { if case .acknowledged(let count, _) = self { count } else { 0 } }
  }

  /// A state file has no more bytes than this.
  public static let mostBytes = 65_536
  private static let title = "tstat_send progress"
  private static let version = "1"

  /// What the slices were made of.
  public var fingerprint: Fingerprint
  /// How many slices are settled, from the first on without a hole.
  public var acknowledged: Int
  /// Which of them the other side refused, in order.
  public var refused: [Int]

  /// Makes one.
  public init(_ fingerprint: Fingerprint, acknowledged: Int, refused: [Int] = []) {
    self.fingerprint = fingerprint
    self.acknowledged = acknowledged
    self.refused = refused
  }

  /// The file's content.
  public var text: String {
    let exception = refused.isEmpty ? "" : " without" + refused.map { " \($0)" }.joined()
    let lines =
      ["\(Self.title) \(Self.version)"] + fingerprint.lines + ["acknowledged \(acknowledged)\(exception)"]
    let content = lines.map { $0 + "\n" }.joined()
    return "\(content)check \(Self.checksum(content))\n"
  }

  /// Reads a state file for work of this fingerprint. Whatever is in it, the answer is safe: at worst all is sent again.
  public static func stored(in bytes: [UInt8], for fingerprint: Fingerprint) -> Stored {
    guard bytes.count <= mostBytes, let text = String(validating: bytes, as: UTF8.self) else {
      return .unusable(reason: "it is not a state file of tstat_send")
    }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard let first = lines.first, first.hasPrefix(title + " ") else {
      return .unusable(reason: "it is not a state file of tstat_send")
    }
    guard first == "\(title) \(version)" else {
      return .unusable(reason: "another version of tstat_send has written it")
    }
    // The checksum, and nothing after its line feed.
    let content = lines.dropLast(2).map { $0 + "\n" }.joined()
    guard lines.count >= 4, Array(lines.suffix(2)) == ["check \(checksum(content))", ""],
      let (count, refused) = settled(in: lines[lines.count - 3])
    else { return .unusable(reason: "it is damaged") }
    guard Array(lines.dropFirst().dropLast(3)) == fingerprint.lines else {
      return .unusable(reason: "the logs or the settings have changed since it was written")
    }
    return .acknowledged(count, refused: refused)
  }

  private static func settled(in line: String) -> (count: Int, refused: Set<Int>)? {
    let words = line.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count >= 2, words[0] == "acknowledged", let count = number(words[1]) else { return nil }
    if words.count == 2 { return (count, []) }
    let refused = words.dropFirst(3).compactMap(number)
    guard words[2] == "without", !refused.isEmpty, refused.count == words.count - 3,
      refused.allSatisfy({ $0 < count }), zip(refused, refused.dropFirst()).allSatisfy(<)
    else { return nil }
    return (count, Set(refused))
  }

  private static func number(_ word: Substring) -> Int? {
    Int(word).flatMap { $0 >= 0 && String($0) == word ? $0 : nil }
  }

  /// FNV-1a of 64 bits: a disk's mistake must not pass for progress.
  private static func checksum(_ text: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return String(hash, radix: 16)
  }

  /// A text without line feeds from which the original can be restored.
  private static func oneLine(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
  }
}
