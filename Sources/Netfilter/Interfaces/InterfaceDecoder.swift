import SystemRuntime

/// Decodes the interfaces that rtnetlink reports (RTM_NEWLINK, linux/if_link.h).
enum InterfaceDecoder {
  /// RTM_GETLINK, the request.
  static let getLink: UInt16 = 18
  /// RTM_NEWLINK, the answer.
  static let newLink: UInt16 = 16
  /// The length of struct ifinfomsg, which stands before the attributes.
  static let fixedLength = 16

  private enum Attribute {
    static let name: UInt16 = 3  // IFLA_IFNAME
    static let link: UInt16 = 5  // IFLA_LINK
    static let master: UInt16 = 10  // IFLA_MASTER
    static let info: UInt16 = 18  // IFLA_LINKINFO
    static let kind: UInt16 = 1  // IFLA_INFO_KIND, within it
    static let data: UInt16 = 2  // IFLA_INFO_DATA, beside that
    static let vxlanPort: UInt16 = 15  // IFLA_VXLAN_PORT, within that
    static let genevePort: UInt16 = 5  // IFLA_GENEVE_PORT
    static let statistics: UInt16 = 23  // IFLA_STATS64
    static let linkNamespace: UInt16 = 37  // IFLA_LINK_NETNSID
  }

  /// Decodes the payload of one answer; nil, and counted, when it makes no sense or lacks name or counters.
  static func decode(_ payload: borrowing RawSpan, malformed: inout UInt64) -> Interface? {
    guard payload.byteCount >= fixedLength, let type = payload.load(2, as: UInt16.self),
      let index = payload.load(4, as: Int32.self)
    else {
      malformed += 1
      return nil
    }
    var name: String?
    var counters: Interface.Counters?
    var interface = Interface(index: index, name: "", linkType: type)
    var isLinkElsewhere = false
    let isWhole = forEachAttribute(in: payload.extracting(fixedLength..<payload.byteCount)) { type, value in
      switch type {
      case Attribute.name: name = text(value)
      case Attribute.link: interface.link = value.load(0, as: Int32.self)
      case Attribute.master: interface.master = value.load(0, as: Int32.self)
      case Attribute.linkNamespace: isLinkElsewhere = true
      case Attribute.statistics: counters = statistics(value)
      case Attribute.info: addInformation(value, to: &interface)
      default: break
      }
    }
    guard isWhole, let name, let counters else {
      malformed += 1
      return nil
    }
    interface.name = name
    interface.counters = counters
    // An interface that stands on nothing may say 0 or name itself.
    if isLinkElsewhere || interface.link == index || interface.link == 0 { interface.link = nil }
    if interface.master == 0 { interface.master = nil }
    return interface
  }

  /// What made it, and the port that only that kind of interface has. The kernel reports the kind first.
  private static func addInformation(_ value: borrowing RawSpan, to interface: inout Interface) {
    _ = forEachAttribute(in: value) { type, value in
      switch (type, interface.kind) {
      case (Attribute.kind, _): interface.kind = text(value)
      case (Attribute.data, "vxlan"): interface.carrierPort = port(Attribute.vxlanPort, in: value)
      case (Attribute.data, "geneve"): interface.carrierPort = port(Attribute.genevePort, in: value)
      default: break
      }
    }
  }

  private static func port(_ attribute: UInt16, in data: borrowing RawSpan) -> UInt16? {
    var port: UInt16?
    _ = forEachAttribute(in: data) { if $0 == attribute { port = $1.loadBigEndian(0) } }
    return port
  }

  /// The first four numbers of struct rtnl_link_stats64.
  private static func statistics(_ value: borrowing RawSpan) -> Interface.Counters? {
    guard let receivedPackets = value.load(0, as: UInt64.self),
      let sentPackets = value.load(8, as: UInt64.self),
      let receivedBytes = value.load(16, as: UInt64.self), let sentBytes = value.load(24, as: UInt64.self)
    else { return nil }
    return Interface.Counters(
      receivedBytes: receivedBytes, sentBytes: sentBytes, receivedPackets: receivedPackets,
      sentPackets: sentPackets)
  }

  /// A text that NUL ends.
  private static func text(_ value: borrowing RawSpan) -> String {
    var bytes: [UInt8] = []
    for offset in 0..<value.byteCount {
      guard let byte = value.load(offset, as: UInt8.self), byte != 0 else { break }
      bytes.append(byte)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
