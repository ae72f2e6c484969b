import CLinux
import Glibc
import Model
import SystemPackage
import Testing

@testable import SystemRuntime

@Suite struct ConfinementTests {
  struct Row: Sendable {
    var permitted: UInt64
    var inheritable: UInt64
    var kept: UInt64
    var alone: [UInt64]
    var withCommands: [UInt64]
  }

  static let rows = [
    // Root: its commands get the bounding set, whatever is left here.
    Row(permitted: 0xff, inheritable: 0, kept: 0x14, alone: [0x14, 0x14, 0], withCommands: [0x14, 0x14, 0]),
    // A service with ambient capabilities: what is passed on stays permitted.
    Row(
      permitted: 0x1c, inheritable: 0x1c, kept: 0x14, alone: [0x14, 0x14, 0],
      withCommands: [0x14, 0x1c, 0x1c]),
    // Inheritable without being permitted is passed on, but gives nothing here.
    Row(permitted: 0x04, inheritable: 0x18, kept: 0x14, alone: [4, 4, 0], withCommands: [4, 4, 0x18]),
    Row(permitted: 0, inheritable: 0, kept: 0x14, alone: [0, 0, 0], withCommands: [0, 0, 0]),
    Row(permitted: .max, inheritable: .max, kept: 0, alone: [0, 0, 0], withCommands: [0, .max, .max]),
  ]

  @Test(arguments: rows) func `what remains is never more than there was`(row: Row) {
    let sets = clinux_capabilities(
      effective: row.permitted, permitted: row.permitted, inheritable: row.inheritable)
    for (children, expected) in [
      (Confinement.Children.none, row.alone), (.asBefore, row.withCommands),
    ] {
      let kept = sets.kept(Capabilities(rawValue: row.kept), children)
      #expect([kept.effective, kept.permitted, kept.inheritable] == expected)
    }
  }

  @Test func `capabilities have their manual's names`() {
    #expect(Capabilities.naming.names == ["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"])
    #expect(Capabilities.tables.names == ["CAP_NET_ADMIN"])
    #expect(Capabilities.namespaces.rawValue == 1 << 21)
    #expect(Capabilities(rawValue: 1).names.isEmpty)
  }

  @Test func `the thread that comes first keeps CAP_SYS_NICE, and no other`() async throws {
    let before = Capabilities.effective.intersection(.priority)
    for keeps in [true, false] {
      let left = try await confined(anySocket: false, before: { if keeps { _ = RealTimeThread() } }) {
        Capabilities.effective.subtracting(.naming)
      }
      #expect(left == (keeps ? before : []))
    }
  }

  /// What a thread may do that was confined and fenced, by itself.
  private func confined<Answer: Sendable>(
    anySocket: Bool, writesFiles: Bool = false, before: @escaping @Sendable () -> Void = {},
    _ body: @escaping @Sendable () -> Answer
  ) async throws -> Answer {
    let result: Result<Answer, KernelError> = await withCheckedContinuation { continuation in
      do throws(KernelError) {
        try WorkerThread.start("confined") {
          before()
          do throws(KernelError) {
            try Confinement.drop(toKeep: .naming, children: .none, allThreads: false)
            try Confinement.fence(anySocket: anySocket, writesFiles: writesFiles, allThreads: false)
            continuation.resume(returning: .success(body()))
          } catch { continuation.resume(returning: .failure(error)) }
        }
      } catch { continuation.resume(returning: .failure(error)) }
    }
    return try result.get()
  }

  /// The error of a call that gives -1 or a descriptor.
  private static func outcome(_ call: () -> CInt) -> CInt {
    errno = 0
    let result = call()
    defer { if result > 2 { close(result) } }
    return result < 0 ? errno : 0
  }

  @Test func `behind the fence of who makes files nothing is run or meddled with either`() async throws {
    let name = "/tmp/bwmon-confinement-\(getpid())"
    let outcomes = try await confined(anySocket: false, writesFiles: true) {
      [
        "make": Self.outcome { unsafe open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600) },
        "rename": Self.outcome { unsafe rename(name, name + "-2") },
        "unlink": Self.outcome { unsafe unlink(name + "-2") },
        "run": Self.outcome { unsafe execv("/nonexistent", [nil]) },
        "internet": Self.outcome { socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0) },
      ]
    }
    #expect(outcomes == ["make": 0, "rename": 0, "unlink": 0, "run": EPERM, "internet": EPERM])
  }

  @Test func `behind the fence nothing is written, run or meddled with`() async throws {
    let outcomes = try await confined(anySocket: false) {
      [
        "read": Self.outcome { unsafe open("/proc/self/status", O_RDONLY | O_CLOEXEC) },
        "write": Self.outcome { unsafe open("/dev/null", O_WRONLY) },
        "both": Self.outcome { unsafe open("/dev/null", O_RDWR) },
        "make": Self.outcome { unsafe open("/tmp/bwmon-never", O_RDONLY | O_CREAT, 0o600) },
        "unlink": Self.outcome { unsafe unlink("/tmp/bwmon-never") },
        "rename": Self.outcome { unsafe rename("/tmp/bwmon-never", "/tmp/bwmon-ever") },
        "mkdir": Self.outcome { unsafe mkdir("/tmp/bwmon-never", 0o700) },
        "chmod": Self.outcome { unsafe chmod("/tmp/bwmon-never", 0o777) },
        "time stamps": Self.outcome { unsafe utimensat(AT_FDCWD, "/tmp/bwmon-never", nil, 0) },
        "attribute": Self.outcome { Self.removeAttribute("/tmp/bwmon-never") },
        "run": Self.outcome { unsafe execv("/nonexistent", [nil]) },
        "netlink": Self.outcome { socket(AF_NETLINK, CInt(SOCK_RAW.rawValue), 0) },
        "unix": Self.outcome { socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0) },
        "internet": Self.outcome { socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0) },
      ]
    }
    let allowed = ["read", "netlink"]
    for (name, error) in outcomes { #expect(error == (allowed.contains(name) ? 0 : EPERM), "\(name)") }
  }

  /// What a call answers outside of the fence, which shows that it is the fence that refuses.
  struct Meddling: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var isAllowed: Bool
    var call: @Sendable () -> CInt
  }

  static let meddling = [
    Meddling(testDescription: "a signal to itself", isAllowed: true) { kill(getpid(), 0) },
    Meddling(testDescription: "a signal to another process", isAllowed: false) { kill(getppid(), 0) },
    Meddling(testDescription: "a signal to its group", isAllowed: false) { kill(0, 0) },
    Meddling(testDescription: "a signal to an own thread", isAllowed: true) {
      pthread_kill(pthread_self(), 0)
    },
    Meddling(testDescription: "its own limits", isAllowed: true) { limit(0) },
    Meddling(testDescription: "its own limits by its number", isAllowed: true) { limit(getpid()) },
    Meddling(testDescription: "another's limits", isAllowed: false) { limit(getppid()) },
    Meddling(testDescription: "its own policy", isAllowed: true) { policy(0) },
    Meddling(testDescription: "another's policy", isAllowed: false) { policy(getppid()) },
    Meddling(testDescription: "another's niceness", isAllowed: false) {
      let kind = __priority_which_t(PRIO_PROCESS.rawValue)
      return setpriority(kind, id_t(getppid()), getpriority(kind, id_t(getppid())))
    },
  ]

  /// A function of the C library that Swift's module does not show.
  private static func function<Function>(_ name: String, _: Function.Type) throws -> Function {
    let address = try unsafe #require(unsafe dlsym(nil, name))
    // The caller says its type, as its manual page does.
    return unsafe unsafeBitCast(address, to: Function.self)
  }

  /// Sets a process's policy to the one it has, the usual one.
  private static func policy(_ pid: pid_t) -> CInt {
    var parameters = sched_param()
    // In bounds: the kernel reads one structure.
    return unsafe sched_setscheduler(pid, SCHED_OTHER, &parameters)
  }

  private static func limit(_ pid: pid_t) -> CInt {
    typealias Call = @convention(c) (pid_t, CInt, OpaquePointer?, UnsafeMutablePointer<rlimit>?) -> CInt
    var old = rlimit()
    // In bounds: the kernel fills one structure.
    return (try? unsafe function("prlimit", Call.self)(pid, CInt(RLIMIT_CORE.rawValue), nil, &old)) ?? -1
  }

  private static func removeAttribute(_ path: String) -> CInt {
    typealias Call = @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>) -> CInt
    return (try? unsafe function("removexattr", Call.self)(path, "user.never")) ?? -1
  }

  @Test(arguments: meddling)
  func `behind the fence signals and limits are for this process alone`(row: Meddling) async throws {
    #expect(row.call() == 0)
    let error = try await confined(anySocket: false) { Self.outcome(row.call) }
    #expect(error == (row.isAllowed ? 0 : EPERM))
  }

  /// Requests of ioctl(2) to a file that knows none of them: the kernel says so, the fence refuses.
  @Test(
    arguments: [
      (UInt(TIOCSTI), EPERM), (UInt(TIOCLINUX), EPERM), (0x4008_6602, EPERM), (0x401c_5820, EPERM),
      (0xc004_5877, EPERM), (UInt(TIOCGWINSZ), ENOTTY), (UInt(TCGETS), ENOTTY),
    ] as [(UInt, CInt)])
  func `behind the fence nothing is typed into a terminal`(request: UInt, error: CInt) async throws {
    let outcome = try await confined(anySocket: false) {
      let descriptor = unsafe open("/proc/self/status", O_RDONLY | O_CLOEXEC)
      defer { close(descriptor) }
      var argument: [UInt8] = Array(repeating: 0, count: 256)
      return Self.outcome { unsafe ioctl(descriptor, request, &argument) }
    }
    #expect(outcome == error)
  }

  @Test func `who forwards may open any socket`() async throws {
    let outcomes = try await confined(anySocket: true) {
      [AF_UNIX, AF_INET, AF_INET6].map { family in
        Self.outcome { socket(family, CInt(SOCK_STREAM.rawValue), 0) }
      }
    }
    #expect(outcomes == [0, 0, 0])
  }

  @Test func `other threads are as before`() async throws {
    _ = try await confined(anySocket: false) { true }
    #expect(Self.outcome { unsafe open("/dev/null", O_WRONLY) } == 0)
  }

  @Test func `a thread that was confined has no more than is kept`() async throws {
    let sets = try await confined(anySocket: false) { Capabilities.effective }
    #expect(sets.isSubset(of: .naming))
    #expect(sets == Capabilities.naming.intersection(.effective))
  }
}
