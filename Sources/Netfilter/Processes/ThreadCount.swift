import Glibc
import SystemRuntime
import SystemPackage

/// What the kernel counts of processes and threads: while it stays the same none has started or ended.
package struct ThreadCount: Equatable {
  /// How many threads there are: one less when a thread has ended and its end was taken note of.
  package var threads: Int32
  /// The number that was given last: another one when a thread has started.
  package var last: Int32

  /// Reads the text of /proc/loadavg (proc_loadavg(5)); nil when it makes no sense.
  package init?(_ text: ArraySlice<UInt8>) {
    let words = text.split(whereSeparator: { $0 == 0x20 || $0 == 0x0a })
    guard words.count == 5, let slash = words[3].firstIndex(of: UInt8(ascii: "/")),
      let threads = Int32(decimal: words[3][(slash + 1)...]), let last = Int32(decimal: words[4]), threads > 0
    else { return nil }
    self.threads = threads
    self.last = last
  }
}

/// The file that shows how many threads there are, kept open.
package struct ThreadCountFile: ~Copyable {
  private let file: OpenFile

  /// Nil where it does not describe the processes in `root` (/proc): where that is another pid namespace's, or
  /// something else stands in the file's place.
  package init?(root: borrowing OpenFile) {
    var text = [UInt8](repeating: 0, count: 16)
    guard let count = try? root.readLink("self", into: &text), Int32(decimal: text[..<count]) == getpid(),
      let file = try? OpenFile("loadavg", in: root), file.isBeside(root)
    else { return nil }
    self.file = file
  }

  /// The count as it is now.
  package func read(into buffer: inout [UInt8]) -> ThreadCount? {
    guard let count = try? file.readAgain(into: &buffer) else { return nil }
    return ThreadCount(buffer[..<count])
  }
}
