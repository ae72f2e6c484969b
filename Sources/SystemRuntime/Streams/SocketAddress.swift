import Glibc
import Model

/// An endpoint as the socket calls take it (ip(7), ipv6(7)).
@safe package struct SocketAddress {
  var storage: sockaddr_storage

  /// An empty address, for a call that fills it.
  package init() { storage = sockaddr_storage() }

  /// The address of `endpoint`, in its own family; `zone` is the interface of a link-local one.
  package init(_ endpoint: Endpoint, zone: UInt32 = 0) {
    self.init()
    let address = endpoint.address
    unsafe withUnsafeMutableBytes(of: &storage) { bytes in
      // In bounds: sockaddr_storage has 128 bytes; the offsets are those of sockaddr_in and sockaddr_in6.
      unsafe bytes.storeBytes(of: sa_family_t(address.isV4 ? AF_INET : AF_INET6), as: sa_family_t.self)
      unsafe bytes.storeBytes(of: endpoint.port.bigEndian, toByteOffset: 2, as: UInt16.self)
      if let bits = address.v4Bits {
        unsafe bytes.storeBytes(of: bits.bigEndian, toByteOffset: 4, as: UInt32.self)
      } else {
        unsafe bytes.storeBytes(of: address.high.bigEndian, toByteOffset: 8, as: UInt64.self)
        unsafe bytes.storeBytes(of: address.low.bigEndian, toByteOffset: 16, as: UInt64.self)
        unsafe bytes.storeBytes(of: zone, toByteOffset: 24, as: UInt32.self)
      }
    }
  }

  /// The endpoint; nil for another family than IPv4 and IPv6.
  package var endpoint: Endpoint? {
    unsafe withUnsafeBytes(of: storage) { bytes in
      // In bounds: as above.
      let port = UInt16(bigEndian: unsafe bytes.load(fromByteOffset: 2, as: UInt16.self))
      switch CInt(unsafe bytes.load(as: sa_family_t.self)) {
      case AF_INET:
        let bits = unsafe bytes.load(fromByteOffset: 4, as: UInt32.self)
        return Endpoint(address: IPAddress(v4: UInt32(bigEndian: bits)), port: port)
      case AF_INET6:
        let high = unsafe bytes.load(fromByteOffset: 8, as: UInt64.self)
        let low = unsafe bytes.load(fromByteOffset: 16, as: UInt64.self)
        return Endpoint(
          address: IPAddress(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low)), port: port)
      default: return nil
      }
    }
  }

  /// The interface of a link-local address (sin6_scope_id of ipv6(7)); zero for none.
  package var zone: UInt32 {
    // In bounds: as above.
    unsafe withUnsafeBytes(of: storage) { bytes in
      CInt(storage.ss_family) == AF_INET6 ? unsafe bytes.load(fromByteOffset: 24, as: UInt32.self) : 0
    }
  }

  /// Calls `body` with the address as bind(2) and connect(2) want it.
  package func with(_ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
    unsafe withUnsafePointer(to: storage) { pointer in
      let length =
        CInt(storage.ss_family) == AF_INET
        ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
      // In bounds: both lengths are less than the storage's.
      return unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(length))
      }
    }
  }

  /// Calls `body` with room for an address, as getsockname(2) and getpeername(2) want it.
  package mutating func fill(
    _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
  ) -> CInt {
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
      // In bounds: the kernel writes at most `length` bytes, the storage's size.
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, &length) }
    }
  }
}
