import Model
import SystemRuntime
import SystemPackage
import Testing

@testable import Probes

/// What this host lacks is not what a service lacks.
@Suite struct ServiceShortageTests {
  @Test(
    arguments: [
      (.tooManyOpenFiles, true, .means(.tooManyOpenFiles)),
      (.tooManyOpenFilesInSystem, true, .means(.tooManyOpenFilesInSystem)),
      (.noBufferSpace, true, .means(.noBufferSpace)), (.noMemory, false, .means(.noMemory)),
      // Without an address to send from, the error is about that.
      (.addressNotAvailable, true, .ports), (.addressNotAvailable, false, nil),
      (.connectionRefused, true, nil), (.networkUnreachable, true, nil), (.timedOut, true, nil),
      (.permissionDenied, true, nil),
    ] as [(Errno, Bool, ServiceShortage?)])
  func `some errors are a shortage here`(error: Errno, hasSource: Bool, expected: ServiceShortage?) {
    #expect(ServiceShortage(error) { hasSource } == expected)
  }

  @Test(
    arguments: [
      (.means(.tooManyOpenFiles), "not asked: Too many open files", "LimitNOFILE="),
      (.means(.tooManyOpenFilesInSystem), "not asked: Too many open files in system", "fs.file-max"),
      (.means(.noBufferSpace), "not asked: No buffer space available", "MemoryMax="),
      (.ports, "not asked: no local port is free", "net.ipv4.ip_local_port_range"),
      (.turn, "not asked: too many others are asked at a time", "ask fewer or less often"),
      (.transfers("libcurl is ill: wait."), "not asked: no transfer can begin", "libcurl is ill: wait."),
    ] as [(ServiceShortage, String, String)])
  func `each says what is lacking and what to do`(shortage: ServiceShortage, reason: String, remedy: String) {
    #expect(shortage.reason == reason)
    #expect(shortage.sentence.lowercased().contains(remedy.lowercased()), "\(shortage.sentence)")
  }

  @Test func `a shortage is said when it begins, and again when it was away for ten minutes`() {
    let start = Instant.now
    var notice = ShortageNotice()
    func said(_ shortage: ServiceShortage, _ second: Int) -> Bool {
      notice.isNew(shortage, at: start + .seconds(second))
    }
    #expect(said(.ports, 0))
    #expect(said(.means(.noMemory), 1))
    // It goes on.
    for number in 1...10 { #expect(!said(.ports, number * 599)) }
    #expect(said(.ports, 5990 + 600))
    #expect(said(.means(.noMemory), 7200))
  }

  @Test(arguments: [
    (3, 1, 1), (16, 2, 4), (24, 4, 4), (64, 10, 12), (256, 42, 44), (512, 85, 86), (1024, 256, 256),
    (4096, 512, 2816), (1_048_576, 512, 4096),
  ])
  func `what is asked at a time finds descriptors`(limit: Int, web: Int, connections: Int) {
    let places = ServicePlaces(descriptors: limit)
    #expect(places.web == web && places.connections == connections, "\(places)")
  }

  private let start = Instant.now

  @Test func `a port that was not asked in its time is unknown, and so are services`() {
    var connect = ConnectSchedule(
      ProbeJob.Connect(interval: nil, port: 80, timeout: .seconds(2)), start: start)
    let early = [Duration.zero, .seconds(6.9)].compactMap {
      connect.advance(at: start + $0, noon) { _, _ in }
    }
    #expect(early.isEmpty)
    let late = connect.advance(at: start + .seconds(7), noon) { _, _ in }
    #expect(late?.isLate == true && late?.connection == .unknown(ServiceShortage.turn.reason))

    var scan = ScanSchedule(ProbeJob.Scan(interval: nil, timeout: .seconds(2)), start: start)
    _ = scan.advance(at: start, noon) { _, _ in }
    let isOver = scan.answer(.http, .web(.missing("refused")), of: scan.number)
    #expect(!isOver)
    let partly = scan.advance(at: start + .seconds(7), noon) { _, _ in }
    #expect(partly?.isLate == true && partly?.scan.isUp == nil && partly?.scan.isPartial == true)
    #expect(partly?.scan.http == .missing("refused"))
  }

  @Test(
    arguments: [
      (.missing("a"), .missing("b"), false), (.missing("a"), .unknown("b"), nil),
      (.unknown("a"), .unknown("b"), nil),
      (.unknown("a"), .answered(Self.version), true), (.missing("a"), .answered(Self.version), true),
    ] as [(ServiceScan.Answer<ServiceScan.Web>, ServiceScan.Answer<ServiceScan.Database>, Bool?)])
  func `a scan is down when all is known to be away`(
    web: ServiceScan.Answer<ServiceScan.Web>, mysql: ServiceScan.Answer<ServiceScan.Database>, isUp: Bool?
  ) {
    #expect(ServiceScan(http: web, https: .missing("c"), mysql: mysql).isUp == isUp)
  }

  private static let version = ServiceScan.Database(roundTrip: .zero, version: "5")
}

private let noon = Timestamp(seconds: 1_764_417_600)
