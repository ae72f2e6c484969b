import Testing

@testable import Netfilter

/// Paths as they are met on hosts: systemd 232 to 257, Docker, Podman, containerd, CRI-O, LXC, LXD, nspawn.
@Suite struct NamespacesCgroupTests {
  private static let id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  private static let other = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
  private static let short = "0123456789ab"
  private static let task = "0123456789abcdef0123456789abcdef"
  private static let pod = "pod0a1b2c3d_1111_2222_3333_444455556666"

  struct Row: Sendable, CustomTestStringConvertible {
    let path: String
    let unit: String?
    let container: String?
    var testDescription: String { path.debugDescription }

    init(_ path: String, unit: String? = nil, container: String? = nil) {
      (self.path, self.unit, self.container) = (path, unit, container)
    }
  }

  static let units = [
    Row("/init.scope", unit: "init.scope"),
    Row("/system.slice/nginx.service", unit: "nginx.service"),
    Row("/system.slice/system-getty.slice/getty@tty1.service", unit: "getty@tty1.service"),
    Row("/system.slice/docker.service", unit: "docker.service"),
    Row("/system.slice/containerd.service", unit: "containerd.service"),
    Row("/system.slice/postgresql@15-main.service", unit: "postgresql@15-main.service"),
    Row("/system.slice/run-user-1000.mount", unit: "run-user-1000.mount"),
    Row("/system.slice/dbus.socket", unit: "dbus.socket"),
    Row("/system.slice/dev-sda2.swap", unit: "dev-sda2.swap"),
    Row("/system.slice", unit: "system.slice"),
    Row("/user.slice/user-1000.slice", unit: "user-1000.slice"),
    Row("/user.slice/user-1000.slice/session-4.scope", unit: "session-4.scope"),
    Row("/user.slice/user-1000.slice/user@1000.service/init.scope", unit: "init.scope"),
    Row(
      "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-2317.scope",
      unit: "app-gnome-firefox-2317.scope"),
    Row(
      #"/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1a\x2db.scope"#,
      unit: "vte-spawn-1a-b.scope"),
    Row("/user.slice/user-1000.slice/user@1000.service/tmux-spawn-a.scope/b", unit: "tmux-spawn-a.scope"),
    // A service that divides its own group.
    Row("/system.slice/libvirtd.service/emulator", unit: "libvirtd.service"),
    Row("/system.slice/systemd-udevd.service/udev", unit: "systemd-udevd.service"),
    Row(
      #"/system.slice/system-systemd\x2dcryptsetup.slice/systemd-cryptsetup@luks\x2d0a1b.service"#,
      unit: "systemd-cryptsetup@luks-0a1b.service"),
    Row(#"/system.slice/dev-disk-by\x2duuid-0a.swap"#, unit: "dev-disk-by-uuid-0a.swap"),
    Row(#"/system.slice/caf\xc3\xa9.service"#, unit: "café.service"),
    // Hostile or broken escapes stay as they are written.
    Row(#"/system.slice/a\x0ab.service"#, unit: #"a\x0ab.service"#),
    Row(#"/system.slice/a\x1b[2J.service"#, unit: #"a\x1b[2J.service"#),
    Row(#"/system.slice/a\x7f\x.service"#, unit: #"a\x7f\x.service"#),
    // U+009B in two bytes begins a terminal's command, as ESC [ does.
    Row(#"/system.slice/a\xc2\x9b2J.service"#, unit: "a\u{fffd}\\x9b2J.service"),
    Row(#"/system.slice/a\x+f\xZZ.service"#, unit: #"a\x+f\xZZ.service"#),
    Row(#"/system.slice/a\"#, unit: "system.slice"),
    // A slash ends an element, whatever stands behind it.
    Row("/system.slice/\u{301}x.service", unit: "\u{301}x.service"),
    // A sign that belongs to what comes after it (U+0600) hides no dot and no space.
    Row("/system.slice/a\u{600}.service", unit: "a\u{600}.service"),
    Row("/system.slice/a.service/b\u{600} (deleted)", unit: "a.service"),
    // The kernel's own names are marked.
    Row("/system.slice/_cpu.service", unit: "cpu.service"),
    Row("/system.slice/__x.service", unit: "_x.service"),
    // Seen from inside another cgroup namespace.
    Row("/../../system.slice/sshd.service", unit: "sshd.service"),
    Row("/system.slice/nginx.service (deleted)", unit: "nginx.service"),
    Row("/.service"), Row("/.slice"), Row("/foo"), Row("/process_api/7a4f2527527d689d6b50922f751b2335"),
    Row("/nginx.service.d"), Row("/system.slice/a:b.service", unit: "system.slice"),
    // A virtual machine is no container.
    Row(#"/machine.slice/machine-qemu\x2d1\x2dvm.scope"#, unit: "machine-qemu-1-vm.scope"),
    Row(#"/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/vcpu0"#, unit: "machine-qemu-1-vm.scope"),
  ]

  static let containers = [
    Row("/docker/\(id)", container: short),
    Row("/system.slice/docker-\(id).scope", unit: "docker-\(id).scope", container: short),
    Row("/system.slice/docker-\(id).scope/init.scope", unit: "init.scope", container: short),
    Row(
      "/system.slice/docker-\(id).scope/system.slice/nginx.service", unit: "nginx.service", container: short),
    Row(
      "/user.slice/user-1000.slice/user@1000.service/app.slice/docker-\(id).scope",
      unit: "docker-\(id).scope", container: short),
    Row("/docker/buildkit/\(id)", container: short),
    // A container inside a container: the inner one.
    Row("/docker/\(other)/docker/\(id)", container: short),
    Row("/docker/\(other)/kubelet/kubepods/burstable/\(pod)/\(id)", container: short),
    Row("/machine.slice/libpod-\(id).scope", unit: "libpod-\(id).scope", container: short),
    Row("/machine.slice/libpod-\(id).scope/container", unit: "libpod-\(id).scope", container: short),
    Row(
      "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-\(id).scope/container",
      unit: "libpod-\(id).scope", container: short),
    Row("/libpod_parent/libpod-\(id)", container: short),
    // Podman with --cgroups=split, as its systemd units have it.
    Row("/system.slice/web.service/libpod-payload-\(id)", unit: "web.service", container: short),
    Row(
      "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service/libpod-payload-\(id)",
      unit: "web.service", container: short),
    Row("/system.slice/web.service/supervisor", unit: "web.service"),
    Row("/system.slice/web.service/runtime", unit: "web.service"),
    Row("/machine.slice/libpod-conmon-\(id).scope", unit: "libpod-conmon-\(id).scope"),
    Row("/system.slice/crio-conmon-\(id).scope", unit: "crio-conmon-\(id).scope"),
    Row(
      "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-\(pod).slice/cri-containerd-\(id).scope",
      unit: "cri-containerd-\(id).scope", container: short),
    Row(
      "/kubepods.slice/kubepods-\(pod).slice/crio-\(id).scope", unit: "crio-\(id).scope", container: short),
    Row(
      "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-\(pod).slice/docker-\(id).scope",
      unit: "docker-\(id).scope", container: short),
    Row("/kubepods/burstable/\(pod)/\(id)", container: short),
    Row("/kubepods/\(pod)/\(id)", container: short),
    Row("/kubepods/besteffort/\(pod)"),
    Row(
      "/system.slice/containerd.service/kubepods-burstable-\(pod).slice:cri-containerd:\(id)",
      unit: "containerd.service", container: short),
    Row("/system.slice/nerdctl-\(id).scope", unit: "nerdctl-\(id).scope", container: short),
    Row("/default/\(id)", container: short),
    Row("/ecs/\(task)/\(id)", container: short),
    Row("/ecs/\(task)/\(task)-3045345", container: short),
    Row("/ecs/\(task)"),
    Row("/lxc.payload.web", container: "web"),
    Row("/lxc.payload.web/system.slice/nginx.service", unit: "nginx.service", container: "web"),
    Row("/lxc.payload/web", container: "web"),
    Row("/lxc/101/ns/init.scope", unit: "init.scope", container: "101"),
    Row("/lxc.monitor.web"), Row("/lxc.monitor/web"), Row("/lxc.payload."), Row("/lxc"),
    Row(
      "/user.slice/user-1000.slice/session-2.scope/lxc.payload.c1", unit: "session-2.scope", container: "c1"),
    Row("/lxc.payload.web/system.slice/docker-\(id).scope", unit: "docker-\(id).scope", container: short),
    Row("/machine.slice/machine-debian.scope/payload", unit: "machine-debian.scope", container: "debian"),
    Row(
      #"/machine.slice/machine-my\x2dweb.scope/payload/system.slice/nginx.service"#, unit: "nginx.service",
      container: "my-web"),
    Row(
      "/machine.slice/systemd-nspawn@web.service/payload/init.scope", unit: "init.scope", container: "web"),
    Row(
      "/machine.slice/machine-_.scope", unit: "machine-_.scope", container: "_"),
    Row(
      #"/machine.slice/machine-lxc\x2d99\x2dc.scope"#, unit: "machine-lxc-99-c.scope", container: "lxc-99-c"),
    Row("/machine.slice/machine-.scope", unit: "machine-.scope"),
    // Nearly an identifier.
    Row("/docker/\(id.dropLast())"), Row("/docker/\(id)0"), Row("/docker/\(id.uppercased())"),
    Row("/docker/g\(id.dropFirst())"),
    Row("/system.slice/docker-\(id.dropLast()).scope", unit: "docker-\(id.dropLast()).scope"),
  ]

  @Test(arguments: units + containers) func `a path tells the unit and the container`(row: Row) throws {
    let path = try #require(CgroupPath(row.path))
    #expect(path.unit == row.unit)
    #expect(path.container == row.container)
  }

  @Test(arguments: ["", "/", "//", "/..", "/../..", " (deleted)"])
  func `the root is no place`(path: String) { #expect(CgroupPath(path) == nil) }

  @Test(
    arguments: [
      ("0::/a\n", "/a"), ("0::/a", "/a"),
      ("0::/\n1:name=systemd:/b\n", "/b"), ("1:name=systemd:/b\n0::/\n", "/b"),
      ("9:name=systemd:/b\n8:pids:/c\n0::/a\n", "/a"),
      // Both versions, and an engine that makes its groups itself: only version 1 knows the container.
      ("1:name=systemd:/docker/\(id)\n0::/system.slice/containerd.service\n", "/docker/\(id)"),
      (
        "0::/system.slice/containerd.service\n1:name=systemd:/kubepods/\(pod)/\(id)\n",
        "/kubepods/\(pod)/\(id)"
      ),
      (
        "2:cpu,cpuacct:/docker/\(id)\n1:name=systemd:/system.slice/docker.service\n0::/system.slice/docker.service\n",
        "/docker/\(id)"
      ),
      (
        "1:name=systemd:/docker/\(other)\n0::/system.slice/docker-\(id).scope\n",
        "/system.slice/docker-\(id).scope"
      ),
      ("2:cpu:/docker/\(other)\n1:name=systemd:/docker/\(id)\n0::/\n", "/docker/\(id)"),
      ("2:cpu:/a.slice\n1:name=systemd:/a.service\n0::/\n", "/a.service"),
      // Neither version 2 nor systemd.
      ("4:memory:/docker/\(id)\n3:cpu:/docker/\(id)\n", "/docker/\(id)"),
      ("4:memory:/lxc/web\n3:cpu:/x\n", "/lxc/web"),
      ("12:memory:/docker/x\n1:name=systemd:/docker/y\n", "/docker/y"),
      ("0::/a:b\n", "/a:b"), ("0::/a (deleted)\n", "/a"), ("0::/a\u{600} (deleted)\n", "/a\u{600}"),
      ("0::/\n", nil), ("", nil), ("\n\n", nil),
      ("4:memory:/x\n", nil), ("0::", nil), ("0:", nil), ("::/a\n", nil), ("10::/a\n", nil),
      ("0:x:/a\n", nil),
    ] as [(String, String?)])
  func `a file tells the path that knows most`(text: String, path: String?) {
    #expect(CgroupPath(file: Array(text.utf8)[...])?.text == path)
  }

  @Test func `any bytes are read without a trap`() {
    var generator = SystemRandomNumberGenerator()
    let alphabet = Array("0:/\\x2d.scope-_lxcdocker \n\u{ff}".utf8) + [0, 0xff]
    for _ in 0..<5000 {
      let bytes = (0..<Int.random(in: 0..<80, using: &generator)).map { _ in
        alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
      }
      let path = CgroupPath(file: bytes[...])
      #expect(path?.unit?.isEmpty != true && path?.container?.isEmpty != true)
    }
  }

  @Test(
    arguments: [
      ("net:[4026531833]", 4_026_531_833), ("net:[0]", 0), ("net:[]", nil), ("mnt:[1]", nil), ("net:[1", nil),
      ("net:1]", nil), ("net:[-1]", nil), ("net:[18446744073709551616]", nil), ("", nil),
    ] as [(String, UInt64?)])
  func `a link names its namespace`(text: String, inode: UInt64?) {
    #expect(NamespaceLink.inode(Array(text.utf8)[...]) == inode)
  }
}
