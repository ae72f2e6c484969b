/// What /proc/PID/stat reports (proc_pid_stat(5)).
package struct ProcessStat: Equatable {
  /// The kernel's short name, at most 15 bytes of a program's choice (longer for kernel threads).
  package var name: String
  /// `R`, `S`, ... and `Z` for a process that has ended and is not yet reaped.
  package var state: UInt8
  /// The parent's pid; 0 for none that can be seen.
  package var parent: Int32
  /// Clock ticks since boot.
  package var startTime: UInt64
  /// True for a thread of the kernel's own (PF_KTHREAD of linux/sched.h), which has no command line.
  var isKernelThread: Bool

  /// What to call a process without a command line: `[name]` for a kernel thread, as ps(1) does, else the name alone.
  /// One that is just ending has lost its memory, and so its command line, before its sockets.
  package var substituteName: String { isKernelThread ? "[\(name)]" : name }

  /// True once the process has ended: its memory, and so its command line, is gone.
  package var isDead: Bool { state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") }

  /// Reads the file's text; nil when it is not complete.
  ///
  /// The name may hold anything, also `)` and newlines, so it ends at the last `)`: what follows is numbers.
  package init?(_ text: ArraySlice<UInt8>) {
    guard let open = text.firstIndex(of: UInt8(ascii: "(")),
      let close = text.lastIndex(of: UInt8(ascii: ")")), open < close
    else { return nil }
    let fields = text[(close + 1)...].split(maxSplits: 20, whereSeparator: { $0 == 0x20 || $0 == 0x0a })
    // The first field here is number 3, the state.
    guard fields.count > 20, fields[0].count == 1, let state = fields[0].first,
      let parent = Int32(decimal: fields[1]), let flags = UInt32(decimal: fields[6]),
      let startTime = UInt64(decimal: fields[19])
    else { return nil }
    name = String(decoding: text[(open + 1)..<close], as: UTF8.self)
    self.state = state
    self.parent = parent
    self.startTime = startTime
    isKernelThread = flags & 0x0020_0000 != 0
  }
}

/// What is used of /proc/PID/status (proc_pid_status(5)).
package enum ProcessStatus {
  /// The real user: the first number of the line `Uid:`. The kernel escapes newlines in `Name:`.
  package static func realUser(_ text: ArraySlice<UInt8>) -> UInt32? {
    field("Uid:", text).flatMap { numbers in
      numbers.split(whereSeparator: { $0 == 0x09 || $0 == 0x20 }).first.flatMap(UInt32.init(decimal:))
    }
  }

  /// The process that a thread belongs to: the number of the line `Tgid:`.
  package static func leader(_ text: ArraySlice<UInt8>) -> Int32? {
    field("Tgid:", text).flatMap { Int32(decimal: $0.drop { $0 == 0x09 || $0 == 0x20 }) }
  }

  /// The capabilities in force: the hexadecimal number of the line `CapEff:`.
  package static func effectiveCapabilities(_ text: ArraySlice<UInt8>) -> UInt64? {
    field("CapEff:", text).flatMap {
      UInt64(String(decoding: $0, as: UTF8.self).filter(\.isHexDigit), radix: 16)
    }
  }

  private static func field(_ name: String, _ text: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    var rest = text
    while !rest.isEmpty {
      let line = rest.prefix { $0 != 0x0a }
      if line.starts(with: name.utf8) { return line.dropFirst(name.utf8.count) }
      rest = rest.dropFirst(line.count + 1)
    }
    return nil
  }
}

extension FixedWidthInteger {
  /// The number that `digits` spell, and nothing else; nil when it does not fit.
  package init?(decimal digits: ArraySlice<UInt8>) {
    guard !digits.isEmpty else { return nil }
    self = 0
    for digit in digits {
      guard (0x30...0x39).contains(digit) else { return nil }
      let (tenfold, overflow) = multipliedReportingOverflow(by: 10)
      let (sum, carry) = tenfold.addingReportingOverflow(Self(digit - 0x30))
      if overflow || carry { return nil }
      self = sum
    }
  }
}
