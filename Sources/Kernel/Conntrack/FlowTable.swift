import Model

/// Netfilter's connection table, read as a whole.
public protocol FlowTable {
  /// Replaces `flows` by all entries of the table, of every family and protocol.
  mutating func read(into flows: inout [Flow]) throws(KernelError)

  /// Messages, attributes or lines that could not be understood, since start.
  var malformed: UInt64 { get }
  /// Readings that had to be repeated because the table changed under them, since start.
  var interrupted: UInt64 { get }
}
