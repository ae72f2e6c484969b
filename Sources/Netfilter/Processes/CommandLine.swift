/// The arguments of a process as /proc/PID/cmdline holds them (proc_pid_cmdline(5)).
package struct CommandLine: Sendable, Hashable {
  /// What is read of one process.
  package static let byteLimit = 65536
  /// The leading arguments that are kept as such; all stay in the text.
  static let argumentLimit = 32

  /// The first arguments.
  package var arguments: [String]
  /// All arguments joined by spaces.
  package var text: String

  /// Splits at NUL bytes; nil when there is no argument: a kernel thread, or a process that has ended.
  ///
  /// NULs at the end separate nothing: programs that write their own title pad it with them. Bytes that are
  /// not UTF-8 are replaced; control characters stay, the renderers escape them.
  package init?(_ bytes: ArraySlice<UInt8>) {
    guard let last = bytes.lastIndex(where: { $0 != 0 }) else { return nil }
    let used = bytes[...last]
    arguments = used.split(separator: 0, maxSplits: Self.argumentLimit, omittingEmptySubsequences: false)
      .prefix(Self.argumentLimit).map { String(decoding: $0, as: UTF8.self) }
    text = String(decoding: used.map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
  }
}
