@testable import Netfilter

extension Target {
  static func connector(_ input: [UInt8]) throws(Violation) {
    var reported: [ProcConnectorMessage] = []
    _ = forEachMessage(in: unsafe input.span.bytes) { _, payload in
      if let message = ProcConnectorMessage(payload) { reported.append(message) }
    }
    try law("a message needs its headers", reported.count * (16 + 20) <= input.count)
    for message in reported {
      let words: [UInt32]
      switch message {
      case .fork(let parent, let child):
        try law("pids are positive", parent >= 0 && child > 0)
        words = [1, UInt32(parent), UInt32(parent), UInt32(child), UInt32(child)]
      case .exec(let pid):
        try law("pids are positive", pid > 0)
        words = [2, UInt32(pid), UInt32(pid)]
      case .exit(let pid):
        try law("pids are positive", pid > 0)
        words = [0x8000_0000, UInt32(pid), UInt32(pid)]
      case .acknowledged(let error): words = [0, error]
      case .other: continue
      }
      let written = encode(words)
      try law(
        "written again it reads the same: \(message)",
        ProcConnectorMessage(unsafe written.span.bytes) == message)
      try law(
        "what ends too early is nothing",
        ProcConnectorMessage(unsafe written.span.bytes.extracting(0..<written.count - 1)) == nil)
    }
  }

  /// A struct cn_msg around a proc_event of this kind and detail.
  private static func encode(_ words: [UInt32]) -> [UInt8] {
    let event = [words[0], 0, 0, 0] + words.dropFirst()
    return ([1, 1, 0, 0, UInt32(event.count * 4)] + event).flatMap {
      NetlinkRequest.bytes(ofBigEndian: $0.bigEndian)
    }
  }
}
