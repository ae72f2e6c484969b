import Model

@testable import Netfilter
@testable import Ownership

extension Target {
  /// The first byte chooses the parser; the others are the text.
  static func proc(_ input: [UInt8]) throws(Violation) {
    guard let first = input.first else { return }
    let text = input.dropFirst()
    switch first % 12 {
    case 0: try stat(text)
    case 1: try status(text)
    case 2: try commandLine(text)
    case 3: try cgroup(text)
    case 4: try links(text)
    case 5: try addresses(text)
    case 6: try mounts(text)
    case 7: try flowLine(text)
    case 8: try socketLine(text, SocketFile(name: "tcp", transport: .tcp, isV6: false))
    case 9: try socketLine(text, SocketFile(name: "tcp6", transport: .tcp, isV6: true))
    case 10: try socketLine(text, SocketFile(name: "raw", transport: .raw, isV6: false))
    default: try socketLine(text, SocketFile(name: "udp6", transport: .udp, isV6: true))
    }
  }

  private static func stat(_ text: ArraySlice<UInt8>) throws(Violation) {
    guard let stat = ProcessStat(text) else { return }
    try law("the parent's pid is one", stat.parent >= 0)
    let state = String(decoding: [stat.state], as: UTF8.self)
    let zeros = String(repeating: " 0", count: 17)
    let again = ProcessStat(Array("1 (\(stat.name)) S \(stat.parent)\(zeros) \(stat.startTime) 0".utf8)[...])
    try law(
      "written again it reads the same: \(stat) \(state)",
      again?.name == stat.name && again?.parent == stat.parent && again?.startTime == stat.startTime)
  }

  private static func status(_ text: ArraySlice<UInt8>) throws(Violation) {
    try law("the leader's pid is one", ProcessStatus.leader(text) ?? 0 >= 0)
    let later = Array("Name:\tUid:\\n5\n".utf8) + text
    try law(
      "another line before changes nothing: real user",
      ProcessStatus.realUser(later[...]) == ProcessStatus.realUser(text))
    try law(
      "another line before changes nothing: leader",
      ProcessStatus.leader(later[...]) == ProcessStatus.leader(text))
    try law(
      "another line before changes nothing: capabilities",
      ProcessStatus.effectiveCapabilities(later[...]) == ProcessStatus.effectiveCapabilities(text))
  }

  private static func commandLine(_ text: ArraySlice<UInt8>) throws(Violation) {
    guard let line = CommandLine(text) else {
      return try law("only NULs are no command line", text.allSatisfy { $0 == 0 })
    }
    try law("arguments are bounded", (1...CommandLine.argumentLimit).contains(line.arguments.count))
    try law("no NUL remains", !line.text.utf8.contains(0))
    // Each byte that is repaired becomes three.
    try law("the text is bounded", line.text.utf8.count <= 3 * text.count)
    try law(
      "the text begins with the arguments",
      line.text.utf8.starts(with: line.arguments.joined(separator: " ").utf8))
  }

  private static func cgroup(_ text: ArraySlice<UInt8>) throws(Violation) {
    guard let path = CgroupPath(file: text) else { return }
    try law("the path is not the root", path.text.utf8.contains { $0 != 0x2f })
    for name in [path.unit, path.container].compactMap(\.self) {
      try law("a name is not empty", !name.isEmpty)
      try law("a name is of one element: \(name)", path.text.utf8.contains(0x5c) || !name.utf8.contains(0x2f))
      try law(
        "an escape makes no control character: \(Array(name.utf8))",
        hasControl(path.text) || !hasControl(name))
    }
    let again = CgroupPath(file: Array("1:name=systemd:/x\n0::\(path.text) (deleted)\n".utf8)[...])
    try law("the mark of a deleted group is no part of it: \(path.text)", again == path)
  }

  private static func links(_ text: ArraySlice<UInt8>) throws(Violation) {
    for (prefix, inode) in [("socket", SocketLink.inode(text)), ("net", NamespaceLink.inode(text))] {
      guard let inode else { continue }
      let digits = text.dropFirst(prefix.utf8.count + 2).dropLast().drop { $0 == 0x30 }
      try law(
        "an inode is what the digits say", digits.elementsEqual(inode == 0 ? "".utf8 : "\(inode)".utf8))
    }
  }

  private static func addresses(_ text: ArraySlice<UInt8>) throws(Violation) {
    var routes = AddressFiles.LocalRoutes()
    var found: [IPAddress] = []
    let lines = text.split(separator: 0x0a).map { String(decoding: $0, as: UTF8.self) }
    for line in lines {
      routes.read(line, into: &found)
      guard let address = AddressFiles.v6Address(line) else { continue }
      let digits = [address.high, address.low].map { half in
        let digits = String(half, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
      }.joined()
      try law("written again it reads the same: \(digits)", line.lowercased().hasPrefix(digits))
    }
    try law("an address takes two lines", found.count * 2 <= lines.count)
    try law("an address comes once", Set(found).count == found.count)
    for address in found {
      try law("its text reads the same: \(address)", IPAddress(address.description) == address)
    }
  }

  private static func mounts(_ text: ArraySlice<UInt8>) throws(Violation) {
    let visibility = ProcAccess(mounts: text, path: "/proc")
    guard let hidepid = visibility.hidepid else { return }
    try law(
      "an option ends at a comma or space: \(hidepid)", !hidepid.utf8.contains { ", \n".utf8.contains($0) })
  }

  /// True for text with a character that drives a terminal.
  private static func hasControl(_ text: String) -> Bool {
    text.unicodeScalars.contains { $0.properties.generalCategory == .control }
  }
}
