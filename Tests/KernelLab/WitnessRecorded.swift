import CBPF
import Glibc
import Netfilter

/// Records as the BPF program writes them, and the frames around them.
package enum WitnessRecorded {
  /// 10.77.1.1:45210 to 10.77.1.2:38853, by TCP.
  package static func socket(key: UInt64 = 0x9aa6, flags: CUnsignedInt = 0) -> witness_socket {
    var socket = witness_socket()
    socket.key = key
    socket.inode = 735_579
    socket.consumed = 7
    socket.transmitted = 100_000
    socket.network = 4_026_533_784
    socket.uid = 1000
    socket.family = UInt16(AF_INET)
    socket.type = UInt16(SOCK_STREAM.rawValue)
    socket.`protocol` = UInt16(IPPROTO_TCP)
    socket.local_port = 45_210
    socket.remote_port = 38_853
    socket.flags = UInt8(flags)
    socket.local = (0, UInt64(0xffff_0a4d_0101).bigEndian)
    socket.remote = (0, UInt64(0xffff_0a4d_0102).bigEndian)
    return socket
  }

  package static func firstUse(
    slot: UInt32 = 5, pid: UInt32 = 4711, start: UInt64 = 3_478_430_012_345,
    _ socket: witness_socket = socket()
  ) -> [UInt8] {
    var record = witness_first_use()
    record.kind = UInt32(WITNESS_FIRST_USE)
    record.slot = slot
    record.process = pid
    record.start = start
    record.socket = socket
    return bytes(record)
  }

  package static func exit(pid: UInt32 = 4711, start: UInt64 = 3_478_430_012_345) -> [UInt8] {
    var record = witness_exit()
    record.kind = UInt32(WITNESS_EXIT)
    record.process = pid
    record.start = start
    return bytes(record)
  }

  package static func process(
    _ arguments: [UInt8], length: UInt32? = nil, name: String = "curl", pid: UInt32 = 4711
  ) -> [UInt8] {
    var record = witness_process()
    record.kind = UInt32(WITNESS_PROCESS)
    record.process = pid
    record.start = 3_478_430_012_345
    record.parent = 1
    record.parent_start = 20_000_000
    record.uid = 1000
    record.network = 4_026_533_784
    record.control_group = 77
    record.arguments_length = length ?? UInt32(arguments.count)
    record.arguments_read = UInt32(arguments.count)
    var all = bytes(record)
    all.removeLast(16)
    all += Array(name.utf8) + [UInt8](repeating: 0, count: 16 - name.utf8.count)
    // What was not read is whatever lay there.
    all += arguments
    all += [UInt8](repeating: 0x5a, count: Int(WITNESS_ARGUMENTS) - arguments.count)
    return all
  }

  /// Records one after the other as `cbpf_read` hands them over.
  package static func framed(_ records: [[UInt8]]) -> [UInt8] {
    records.flatMap { (record: [UInt8]) -> [UInt8] in
      let length = UInt32(record.count)
      var frame = bytes(length) + [0, 0, 0, 0]
      frame += record
      frame += [UInt8](repeating: 0, count: (8 - record.count % 8) % 8)
      return frame
    }
  }

  package static func bytes<Record: BitwiseCopyable>(_ record: Record) -> [UInt8] {
    // In bounds: the structure's own bytes.
    unsafe withUnsafeBytes(of: record) { unsafe Array($0) }
  }

  package static func decode(_ buffer: [UInt8]) -> (records: [WitnessRecord], malformed: UInt64) {
    var records: [WitnessRecord] = []
    var malformed: UInt64 = 0
    WitnessRecord.forEach(in: unsafe buffer.span.bytes, malformed: &malformed) { records.append($0) }
    return (records, malformed)
  }
}
