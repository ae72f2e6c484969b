import SystemRuntime

/// Connections that did not stay in the table, as /proc/net/stat/nf_conntrack counts them.
package struct ConntrackLosses: Sendable, Equatable {
  /// For which there was no room (`drop`).
  package var dropped: UInt64 = 0
  /// Forgotten to make room (`early_drop`).
  package var early: UInt64 = 0
  /// That collided with another (`insert_failed`).
  package var refused: UInt64 = 0

  package var isNone: Bool { self == ConntrackLosses() }

  /// All of them; a connection may be in two, as one that collided is dropped.
  package var all: UInt64 { dropped &+ early &+ refused }

  /// Reads those of this network namespace since it was made; nil where the kernel does not report them.
  package static func read() -> ConntrackLosses? {
    // A line for each processor that may be there: a few hundred make more than a small file.
    guard let bytes = try? WholeFile.read("/proc/net/stat/nf_conntrack", limit: 1 << 20) else { return nil }
    return ConntrackLosses(String(decoding: bytes, as: UTF8.self))
  }

  /// Adds up the lines of the file, one of hexadecimal numbers for each processor below one of names, which differ
  /// between kernels; nil where the names are not there.
  package init?(_ text: String) {
    let lines = text.split(separator: "\n").map { $0.split(separator: " ") }
    guard let names = lines.first, let drop = names.firstIndex(of: "drop"),
      let early = names.firstIndex(of: "early_drop"), let failed = names.firstIndex(of: "insert_failed")
    else { return nil }
    func sum(_ column: Int) -> UInt64 {
      lines.dropFirst().reduce(0) { $0 &+ ($1.count > column ? UInt64($1[column], radix: 16) ?? 0 : 0) }
    }
    self.init(dropped: sum(drop), early: sum(early), refused: sum(failed))
  }

  package init(dropped: UInt64 = 0, early: UInt64 = 0, refused: UInt64 = 0) {
    self.dropped = dropped
    self.early = early
    self.refused = refused
  }
}
