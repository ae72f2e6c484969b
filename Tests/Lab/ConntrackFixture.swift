import Foundation

/// Recorded ctnetlink messages.
public enum ConntrackFixture {
  /// The bytes of each message, its nlmsghdr included.
  public static let messages: [[UInt8]] = {
    guard let url = Bundle.module.url(forResource: "Fixtures/conntrack_entries", withExtension: "hex"),
      let text = try? String(contentsOf: url, encoding: .utf8)
    else { return [] }
    return text.components(separatedBy: "\n\n").map(bytes(ofBlock:)).filter { !$0.isEmpty }
  }()

  /// The attributes of a message: what follows nlmsghdr.
  public static func payload(_ message: [UInt8]) -> [UInt8] { Array(message.dropFirst(16)) }

  private static func bytes(ofBlock block: String) -> [UInt8] {
    var digits: [Character] = []
    for line in block.split(separator: "\n") { digits += line.prefix { $0 != "#" }.filter(\.isHexDigit) }
    return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
      UInt8(String(digits[$0...$0 + 1]), radix: 16)
    }
  }
}
