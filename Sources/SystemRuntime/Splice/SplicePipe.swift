import CLinux
import Glibc
public import SystemPackage

/// A pipe through which bytes go from socket to socket without entering user space (splice(2)).
///
/// Its owner must know how many bytes are in it: splice(2) says EAGAIN for an empty socket and for a full pipe.
public struct SplicePipe: ~Copyable, Sendable {
  /// How many bytes it holds, as the kernel says; with small packets it is full with less.
  public let capacity: Int

  private let reading: Descriptor
  private let writing: Descriptor

  /// Makes a pipe that holds `capacity` bytes, or less where the system allows no more (pipe(7),
  /// pipe-user-pages-soft).
  public init(capacity: Int) throws(Errno) {
    var ends: [CInt] = [-1, -1]
    // In bounds: the array holds the two descriptors that the call makes.
    guard unsafe clinux_pipe(&ends) == 0 else { throw Errno.last }
    reading = Descriptor(owning: ends[0])
    writing = Descriptor(owning: ends[1])
    var size = capacity
    while size > 65536, clinux_resize_pipe(ends[1], CInt(clamping: size)) < 0 { size /= 2 }
    // Above pipe-user-pages-soft a pipe is made with a page or two.
    self.capacity = max(Int(clinux_pipe_size(ends[1])), 4096)
  }

  /// Moves at most `limit` bytes from `socket` into the pipe.
  public func fill(from socket: borrowing TCPSocket, atMost limit: Int) -> Transfer {
    Transfer(clinux_splice(socket.descriptor, writing.number, limit))
  }

  /// Moves at most `limit` bytes from the pipe to `socket`.
  public func drain(to socket: borrowing TCPSocket, atMost limit: Int) -> Transfer {
    Transfer(clinux_splice(reading.number, socket.descriptor, limit))
  }
}
