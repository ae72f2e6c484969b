/// A network interface of this namespace with what it has counted (rtnetlink(7), linux/if_link.h).
public struct Interface: Sendable, Hashable {
  /// What an interface has counted since it was made: whole frames of its link.
  public struct Counters: Sendable, Hashable {
    /// Bytes of frames that came in.
    public var receivedBytes: UInt64
    /// Bytes of frames that left.
    public var sentBytes: UInt64
    /// Frames that came in.
    public var receivedPackets: UInt64
    /// Frames that left.
    public var sentPackets: UInt64

    /// Makes counters.
    public init(
      receivedBytes: UInt64 = 0, sentBytes: UInt64 = 0, receivedPackets: UInt64 = 0, sentPackets: UInt64 = 0
    ) {
      self.receivedBytes = receivedBytes
      self.sentBytes = sentBytes
      self.receivedPackets = receivedPackets
      self.sentPackets = sentPackets
    }
  }

  /// The kernel's number of it; a new interface of an old name has a new one.
  public var index: Int32
  /// Its name.
  public var name: String
  /// The kind of its link (ARPHRD_ETHER and others, linux/if_arp.h).
  public var linkType: UInt16
  /// What made it: `veth`, `bridge`, `vlan`, `wireguard`; nil for a card and for loopback.
  public var kind: String?
  /// The bridge, bond or the like that it is a port of.
  public var master: Int32?
  /// The interface of this namespace below it, or at its other end; nil where there is none or it is elsewhere.
  public var link: Int32?
  /// The UDP port to which a tunnel's packets go (VXLAN, Geneve); nil for all else.
  public var carrierPort: UInt16?
  /// What it has counted.
  public var counters: Counters

  /// Makes an interface.
  public init(
    index: Int32, name: String, linkType: UInt16, kind: String? = nil, master: Int32? = nil,
    link: Int32? = nil, carrierPort: UInt16? = nil, counters: Counters = Counters()
  ) {
    self.index = index
    self.name = name
    self.linkType = linkType
    self.kind = kind
    self.master = master
    self.link = link
    self.carrierPort = carrierPort
    self.counters = counters
  }
}
