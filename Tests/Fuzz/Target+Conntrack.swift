import Model
import SystemRuntime

@testable import Netfilter

extension Target {
  /// What a datagram of ctnetlink tells.
  private struct Report {
    var flows: [Flow] = []
    var messages = 0
    var payloadBytes = 0
    var malformed: UInt64 = 0
    var answer: DumpAnswer

    init(_ datagram: some Collection<UInt8>) {
      let datagram = Array(datagram)
      let bytes = unsafe datagram.span.bytes
      // As if the first message were an answer to the question.
      answer = DumpAnswer(sequence: bytes.load(8) ?? 0)
      let isWhole = forEachMessage(in: bytes) { header, payload in
        messages += 1
        payloadBytes += payload.byteCount
        guard answer.take(header, payload), header.type & 0xff00 == FlowDecoder.subsystem else { return }
        if let flow = FlowDecoder.decode(payload, malformed: &malformed) { flows.append(flow) }
      }
      if !isWhole { malformed += 1 }
    }
  }

  static func conntrack(_ input: [UInt8]) throws(Violation) {
    let reported = Report(input)
    try law(
      "messages lie in the datagram",
      reported.messages * NetlinkHeader.byteCount + reported.payloadBytes <= input.count)
    try law("faults are fewer than bytes", reported.malformed <= input.count)
    try law("no failure before the end", reported.answer.failure == nil || reported.answer.isDone)
    try law("a failure is an error's number", reported.answer.failure ?? 0 >= 0)
    // nfgenmsg, and twice a tuple with a transport that names its protocol.
    try law("a flow has a message that can hold it", reported.flows.count * (16 + 4 + 2 * 13) <= input.count)

    let cut = input.reduce(0) { $0 &* 31 &+ Int($1) }.magnitude % UInt(input.count + 1)
    let part = Report(input.prefix(Int(cut)))
    try law(
      "a prefix tells a prefix", reported.flows.starts(with: part.flows) && reported.messages >= part.messages
    )

    for flow in reported.flows {
      var malformed: UInt64 = 0
      let message = encode(flow)
      let again = FlowDecoder.decode(
        unsafe message.span.bytes.extracting(16..<message.count), malformed: &malformed)
      try law("written again it reads the same: \(flow)", again == flow && malformed == 0)
    }
  }

  /// The message by which the kernel would tell `flow`.
  private static func encode(_ flow: Flow) -> [UInt8] {
    var message = NetlinkRequest(
      type: FlowDecoder.entryMessage, flags: 0, fixed: NetlinkRequest.nfgenmsg(family: 0))
    for (type, tuple) in [(1, flow.original), (2, flow.reply)] as [(UInt16, FlowTuple)] {
      message.addNested(type) { message in
        message.addNested(1) { message in
          for (index, address) in [tuple.source.address, tuple.destination.address].enumerated() {
            if let bits = address.v4Bits {
              message.add(UInt16(1 + index), bigEndian: bits)
            } else {
              message.add(
                UInt16(3 + index),
                NetlinkRequest.bytes(ofBigEndian: address.high)
                  + NetlinkRequest.bytes(ofBigEndian: address.low))
            }
          }
        }
        message.addNested(2) { message in
          message.add(1, bigEndian: tuple.transport.rawValue)
          message.add(2, bigEndian: tuple.source.port)
          message.add(3, bigEndian: tuple.destination.port)
        }
      }
    }
    message.add(3, bigEndian: UInt32(flow.isOffloaded ? 1 << 14 : 0))
    if flow.hasClosed {
      // TCP_CONNTRACK_CLOSE.
      message.addNested(4) { message in
        message.addNested(1) { message in message.add(1, bigEndian: UInt8(8)) }
      }
    }
    if flow.isCounted {
      let counters = flow.counters
      for (type, packets, bytes) in [
        (9, counters.originalPackets, counters.originalBytes),
        (10, counters.replyPackets, counters.replyBytes),
      ] as [(UInt16, UInt64, UInt64)] {
        message.addNested(type) { message in
          message.add(1, bigEndian: packets)
          message.add(2, bigEndian: bytes)
        }
      }
    }
    message.add(12, bigEndian: flow.id)
    message.add(18, bigEndian: flow.zone)
    return message.bytes
  }
}
