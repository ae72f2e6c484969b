import Glibc
import SystemPackage

/// A flag that a process shares with those that it divides into: what one has set the others see, also after its end.
///
/// It lies in memory without a file (mmap(2), MAP_SHARED). One process at a time may use it: whoever waited for a child's end
/// sees all that the child wrote.
@safe public final class SharedFlag {
  private let address: UnsafeMutableRawPointer
  private static let length = 1

  /// Makes a flag that is not set. Errors: `failed`.
  public init() throws(KernelError) {
    let room = unsafe mmap(
      nil, Self.length, PROT_READ | PROT_WRITE, CInt(MAP_SHARED | MAP_ANONYMOUS), -1, 0)
    guard let room = unsafe room, unsafe room != MAP_FAILED else {
      throw .failed("sharing memory with other processes of ours", .last)
    }
    unsafe address = room
  }

  deinit { unsafe munmap(address, Self.length) }

  /// Whether it is set.
  public var isSet: Bool {
    // In bounds: the kernel gave a page, and it is ours until the end of this value.
    get { unsafe address.load(as: UInt8.self) != 0 }
    set { unsafe address.storeBytes(of: newValue ? 1 : 0, as: UInt8.self) }
  }
}
