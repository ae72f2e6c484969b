import Model
import SystemPackage

/// The control group of a process (cgroups(7)), and what its path says: the systemd unit, the container.
package struct CgroupPath: Equatable {
  /// The path below the root of its hierarchy, never empty.
  package var text: String

  /// Takes a path; nil for the root. The kernel marks the group of a process that outlived it.
  package init?(_ path: some StringProtocol) {
    let mark = " (deleted)"
    text = String(
      decoding: path.utf8.dropLast(Self.ends(path, in: mark) ? mark.utf8.count : 0), as: UTF8.self)
    if elements.isEmpty { return nil }
  }

  /// Reads /proc/PID/cgroup: lines `NUMBER:CONTROLLERS:PATH`.
  ///
  /// The line of version 2, `0::PATH`, goes before version 1's `name=systemd`, and that before other controllers'.
  /// Where several are mounted, an engine may have put its containers into version 1's only, below which systemd
  /// knows no more than the engine's own service: a path with a container goes before those. Nil when neither version
  /// 2 nor systemd knows more than the root, and no line a container.
  package init?(file: ArraySlice<UInt8>) {
    var (unified, systemd): (CgroupPath?, CgroupPath?)
    var others: [CgroupPath] = []
    for line in file.split(separator: 0x0a) {
      let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3, let path = CgroupPath(String(decoding: fields[2], as: UTF8.self)) else {
        continue
      }
      if fields[0].elementsEqual("0".utf8), fields[1].isEmpty {
        unified = path
      } else if fields[1].elementsEqual("name=systemd".utf8) {
        systemd = path
      } else if !fields[1].isEmpty {
        others.append(path)
      }
    }
    let best = unified ?? systemd
    let isAlone = systemd == nil && others.isEmpty
    let inside =
      isAlone ? nil : ([unified, systemd] + others).lazy.compactMap { $0 }.first { $0.container != nil }
    guard let path = inside ?? best else { return nil }
    self = path
  }

  /// The nearest unit around the process: the last element that names one, else the last slice.
  ///
  /// The nearest is what the administrator wrote: the application below a user's manager
  /// (`user@1000.service/app.slice/app-x.scope`), the service inside a container that runs systemd.
  package var unit: String? {
    let last =
      elements.last { element in Self.unitKinds.contains { Self.isUnit(element, $0) } }
      ?? elements.last { Self.isUnit($0, ".slice") }
    return last.map(Self.unescaped)
  }

  /// The innermost container around the process.
  package var container: String? {
    for index in elements.indices.reversed() {
      let parent = index > elements.startIndex ? elements[index - 1] : ""
      if let container = Self.container(elements[index], in: parent) { return container }
    }
    return nil
  }

  /// What can hold processes beside slices (systemd.unit(5)).
  private static let unitKinds = [".service", ".scope", ".socket", ".mount", ".swap"]

  // By bytes, as all here: as characters a slash with a combining mark after it is none.
  private var elements: [Substring] {
    text.utf8.split(separator: UInt8(ascii: "/")).map { Substring($0) }.filter { $0 != ".." }
  }

  private static func isUnit(_ element: Substring, _ kind: String) -> Bool {
    ends(element, in: kind) && element.utf8.count > kind.utf8.count
      && !element.utf8.contains(UInt8(ascii: ":"))
  }

  private static func ends(_ text: some StringProtocol, in suffix: String) -> Bool {
    text.utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
  }
}

extension ProcessPlace {
  /// Where a process runs, by the content of its /proc/PID/cgroup and its network namespace, where they may be read;
  /// `own` is that of this program.
  package init(cgroup file: ArraySlice<UInt8>?, networkNamespace: UInt64?, own: UInt64?) {
    let path = file.flatMap(CgroupPath.init(file:))
    self.init(
      cgroup: path?.text, unit: path?.unit, container: path?.container,
      networkNamespace: networkNamespace == own ? nil : networkNamespace)
  }
}
