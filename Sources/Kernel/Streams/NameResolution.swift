import Glibc
public import Model
import SystemPackage

/// Host names to addresses, the way this host is set up to do it (getaddrinfo(3)).
public enum NameResolution {
  /// Why a name has no addresses.
  public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
    /// gai_strerror(3)'s words.
    public let description: String
  }

  /// Returns the addresses of `host` in the order of RFC 6724; waits for the resolver, which may take long.
  public static func addresses(of host: String) throws(Failure) -> [IPAddress] {
    var hints = unsafe addrinfo()
    unsafe hints.ai_protocol = CInt(IPPROTO_TCP)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = unsafe getaddrinfo(host, nil, &hints, &list)
    guard code == 0 else {
      throw Failure(description: code == EAI_SYSTEM ? Errno.last.description : message(code))
    }
    defer { unsafe freeaddrinfo(list) }
    var addresses: [IPAddress] = []
    var next = unsafe list
    while let entry = unsafe next {
      // The list is the resolver's own until it is freed; each address has the length that its entry says.
      if let address = unsafe Self.address(entry.pointee), !addresses.contains(address) {
        addresses.append(address)
      }
      unsafe next = unsafe entry.pointee.ai_next
    }
    return addresses
  }

  private static func address(_ entry: addrinfo) -> IPAddress? {
    guard let source = unsafe entry.ai_addr else { return nil }
    var address = SocketAddress()
    let length = unsafe min(Int(entry.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
    // In bounds: no longer than either side.
    unsafe withUnsafeMutableBytes(of: &address.storage) { bytes in
      unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(start: source, count: length))
    }
    return address.endpoint?.address
  }

  private static func message(_ code: CInt) -> String {
    unsafe gai_strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
  }
}
