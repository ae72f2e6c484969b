import INI
import Model
import SystemRuntime

@testable import Probes

extension Target {
  private static let secret: UInt64 = 0x1122_3344_5566_7788

  /// What hosts and routers answer, what a database server says first, and connmonitor's file.
  static func probes(_ input: [UInt8]) throws(Violation) {
    try echo(input)
    try datagram(input)
    try greeting(input)
    try list(input)
  }

  private static func echo(_ input: [UInt8]) throws(Violation) {
    let packet = EchoPacket(secret: secret)
    for family in EchoSocket.Family.allCases {
      for hasHeader in [true, false] {
        let reply = packet.reply(unsafe input.span.bytes, family, hasHeader: hasHeader)
        try law("a reply has a header", reply == nil || input.count >= EchoPacket.headerSize)
        try law("a token needs the secret", reply?.token == nil || holdsSecret(input))
        try law("what is ours is not foreign", reply?.token == nil || reply?.isForeign == false)
      }
      let quoted = packet.quoted(unsafe input.span.bytes, family)
      try law("a quoted token needs the secret", quoted?.token == nil || holdsSecret(input))
    }
    try law(
      "a sent token needs the secret", packet.sent(unsafe input.span.bytes) == nil || holdsSecret(input))
  }

  private static func datagram(_ input: [UInt8]) throws(Violation) {
    let datagram = TraceDatagram(secret: secret)
    let quote = datagram.quote(unsafe input.span.bytes)
    if case .request(let token) = quote {
      try law(
        "a request is quoted from its first byte on", input.starts(with: datagram.bytes(token).prefix(16)))
    }
    // Less of it names nothing else.
    for length in 0..<min(input.count, TraceDatagram.cookieSize) {
      let less = datagram.quote(unsafe Array(input.prefix(length)).span.bytes)
      let isKnown = if case .request = less { true } else { false }
      try law("a request is named by all of its token", !isKnown)
      try law("what is ours is nobody else's", less != .foreign || quote == .foreign)
    }
  }

  private static func holdsSecret(_ input: [UInt8]) -> Bool {
    let wanted = (0..<8).map { UInt8(truncatingIfNeeded: secret >> (56 - 8 * UInt64($0))) }
    return input.indices.contains { input[$0...].starts(with: wanted) }
  }

  private static func greeting(_ input: [UInt8]) throws(Violation) {
    let whole = MySQLGreeting(input)
    // What is known of a beginning is not changed by what follows.
    for length in 0..<min(input.count, 64) {
      let part = MySQLGreeting(Array(input.prefix(length)))
      try law("a beginning is not decided otherwise", part == .incomplete || part == whole)
    }
    if case .version(let version) = whole { try law("a version has a text", !version.isEmpty) }
  }

  private static func list(_ input: [UInt8]) throws(Violation) {
    guard let list = try? TargetList(name: "f", bytes: input) else { return }
    // A carriage return alone ends a line as well.
    let lines = input.count { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") } + 1
    try law("a plan has a line", list.plans.count <= lines)
    for plan in list.plans {
      try law("a plan asks something", plan.ping != nil || plan.trace != nil || plan.scan != nil)
      try law("a plan's line is one of the file", (1...lines).contains(plan.line))
    }
  }
}
