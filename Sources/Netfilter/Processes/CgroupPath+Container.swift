/// How those who make containers name their control groups.
extension CgroupPath {
  /// What stands before an identifier of 64 digits: Docker, Podman, containerd and CRI-O for Kubernetes, nerdctl.
  private static let engines = [
    "docker-", "libpod-payload-", "libpod-", "cri-containerd-", "containerd-", "crio-", "nerdctl-", "cri-o-",
  ]
  private static let identifierLength = 64
  private static let shortLength = 12

  /// The container that an element of a path is, by its name and that of the element above; nil for any other.
  package static func container(_ element: Substring, in parent: Substring) -> String? {
    if let identifier = identifier(element) { return String(identifier.prefix(shortLength)) }
    if let name = lxc(element, in: parent) ?? nspawn(element) { return unescaped(name) }
    // AWS ECS on Fargate: the task's identifier and a number.
    let task = element.prefix { $0 != "-" }
    guard isHexadecimal(task, length: 32), task == parent, element.dropFirst(33).allSatisfy(\.isWholeNumber),
      element.utf8.count > 33
    else { return nil }
    return String(task.prefix(shortLength))
  }

  /// The identifier in `ENGINE-ID.scope`, `PODSLICE:ENGINE:ID` or a plain `ID`. The monitors that engines keep
  /// beside a container (`libpod-conmon-ID.scope`) are not inside it.
  private static func identifier(_ element: Substring) -> Substring? {
    var name = element.hasSuffix(".scope") ? element.dropLast(".scope".count) : element
    if let colon = name.lastIndex(of: ":") { name = name[name.index(after: colon)...] }
    for engine in engines where name.hasPrefix(engine) {
      name = name.dropFirst(engine.count)
      break
    }
    return isHexadecimal(name, length: identifierLength) ? name : nil
  }

  /// LXC, LXD and Incus: `lxc.payload.NAME`, `lxc.payload/NAME`, and `lxc/NAME` before LXC 4.
  private static func lxc(_ element: Substring, in parent: Substring) -> Substring? {
    let prefix = "lxc.payload."
    if element.hasPrefix(prefix), element.utf8.count > prefix.utf8.count {
      return element.dropFirst(prefix.count)
    }
    return parent == "lxc" || parent == "lxc.payload" ? element : nil
  }

  /// systemd-nspawn: `machine-NAME.scope`, or `systemd-nspawn@NAME.service`. Virtual machines of libvirt look
  /// alike and are none.
  private static func nspawn(_ element: Substring) -> Substring? {
    for (prefix, suffix) in [("machine-", ".scope"), ("systemd-nspawn@", ".service")]
    where element.hasPrefix(prefix) && element.hasSuffix(suffix) {
      let name = element.dropFirst(prefix.count).dropLast(suffix.count)
      return name.isEmpty || name.hasPrefix("qemu\\x2d") ? nil : name
    }
    return nil
  }

  private static func isHexadecimal(_ text: Substring, length: Int) -> Bool {
    text.utf8.count == length
      && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  /// Undoes systemd's escapes (systemd.unit(5)): a `_` before names that the kernel wants for itself, and `\xHH`
  /// for a byte. What would become a control character stays as it is written.
  package static func unescaped(_ name: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array((name.hasPrefix("_") && name != "_" ? name.dropFirst() : name).utf8)[...]
    while let byte = rest.popFirst() {
      let digits = String(decoding: rest.dropFirst().prefix(2), as: UTF8.self)
      if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "x"), isHexadecimal(digits[...], length: 2),
        let value = UInt8(digits, radix: 16), !isControl(value, after: bytes.last)
      {
        bytes.append(value)
        rest = rest.dropFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// True for a byte that is a control character, or makes one of the byte before it: U+0080 to U+009F.
  private static func isControl(_ byte: UInt8, after last: UInt8?) -> Bool {
    byte < 0x20 || byte == 0x7f || (last == 0xc2 && (0x80..<0xa0).contains(byte))
  }
}
