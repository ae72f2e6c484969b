import Glibc
import Model
import SystemPackage

/// Host names to addresses, the way this host is set up to do it (getaddrinfo(3)).
public enum NameResolution {
  /// Why a name has no addresses.
  public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
    /// gai_strerror(3)'s words.
    public let description: String
  }

  /// Returns `port` of each address of `host` in the order of RFC 6724; waits for the resolver, which may take long.
  public static func endpoints(of host: String, port: UInt16) throws(Failure) -> [ZonedEndpoint] {
    var hints = unsafe addrinfo()
    unsafe hints.ai_protocol = CInt(IPPROTO_TCP)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = unsafe getaddrinfo(host, nil, &hints, &list)
    guard code == 0 else {
      throw Failure(description: code == EAI_SYSTEM ? Errno.last.description : message(code))
    }
    defer { unsafe freeaddrinfo(list) }
    var endpoints: [ZonedEndpoint] = []
    var next = unsafe list
    while let entry = unsafe next {
      // The list is the resolver's own until it is freed; each address has the length that its entry says.
      if let endpoint = unsafe Self.endpoint(entry.pointee, port), !endpoints.contains(endpoint) {
        endpoints.append(endpoint)
      }
      unsafe next = unsafe entry.pointee.ai_next
    }
    return endpoints
  }

  private static func endpoint(_ entry: addrinfo, _ port: UInt16) -> ZonedEndpoint? {
    guard let source = unsafe entry.ai_addr else { return nil }
    var address = SocketAddress()
    let length = unsafe min(Int(entry.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
    // In bounds: no longer than either side.
    unsafe withUnsafeMutableBytes(of: &address.storage) { bytes in
      unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(start: source, count: length))
    }
    return address.endpoint.map {
      ZonedEndpoint(Endpoint(address: $0.address, port: port), zone: address.zone)
    }
  }

  private static func message(_ code: CInt) -> String {
    unsafe gai_strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
  }
}
