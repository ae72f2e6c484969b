@testable import Netfilter

extension Target {
  static func interfaces(_ input: [UInt8]) throws(Violation) {
    var reported: [(interface: Interface?, packet: PacketSocket?, malformed: UInt64, byteCount: Int)] = []
    _ = forEachMessage(in: unsafe input.span.bytes) { _, payload in
      var malformed: UInt64 = 0
      let interface = InterfaceDecoder.decode(payload, malformed: &malformed)
      let packet = PacketDiagnostics.decode(payload, malformed: &malformed)
      reported.append((interface, packet, malformed, payload.byteCount))
    }
    for message in reported {
      try law("each reader counts a message once", message.malformed <= 2)
      if let interface = message.interface {
        // What is no UTF-8 is replaced, by three bytes each.
        try law("a name lies in the message", interface.name.utf8.count <= 3 * message.byteCount)
        try law("nothing stands on itself", interface.link != interface.index)
        try law("no interface has the number 0", interface.link != 0 && interface.master != 0)
      }
      if message.packet != nil { try law("a packet socket has a whole head", message.byteCount >= 16) }
      try law(
        "what was not read was counted",
        message.malformed > 0 || (message.interface != nil && message.packet != nil))
    }
  }
}
