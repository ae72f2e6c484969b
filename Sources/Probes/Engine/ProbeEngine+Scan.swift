import Model
import SystemRuntime

extension ProbeEngine {
  func advanceScan(_ target: ProbedTarget, at now: RoundTripClock.Reading, _ time: Timestamp) {
    var asked: [(ScanSchedule.Service, Duration)] = []
    let finished = target.scan?.advance(at: now.instant, time) { asked.append(($0, $1)) }
    if let finished {
      services.cancelScan(of: target.number)
      if finished.isLate { services.note(.turn) }
      add(.scan(finished.scan), of: target, began: finished.began)
    }
    guard let round = target.scan?.number else { return }
    for (service, limit) in asked {
      ask(
        ServiceProbes.Question(target: target.number, round: round, subject: .service(service)), target.job,
        within: limit)
    }
  }

  func advanceConnect(_ target: ProbedTarget, at now: RoundTripClock.Reading, _ time: Timestamp) {
    guard let port = target.job.connect?.port else { return }
    var limit: Duration?
    let finished = target.connect?.advance(at: now.instant, time) { limit = $1 }
    if let finished {
      if finished.isLate { services.note(.turn) }
      add(.connection(port: port, finished.connection), of: target, began: finished.began)
    }
    guard let limit, let round = target.connect?.number else { return }
    ask(
      ServiceProbes.Question(target: target.number, round: round, subject: .port(port)), target.job,
      within: limit)
  }

  /// Hands what services answered to those who asked.
  func takeAnswers() {
    notes += services.takeSentences().map(Note.lacking)
    for (question, answer) in services.takeAnswers() {
      guard let target = targets[question.target] else { continue }
      switch (question.subject, answer) {
      case (.service(let service), .service(let answer)):
        let isOver = target.scan?.answer(service, answer, of: question.round) ?? false
        if isOver { advance(target, .scan, at: Self.readClocks(), clock()) }
      case (.port, .connection(let connection)):
        let isOver = target.connect?.answer(connection, of: question.round) ?? false
        if isOver { advance(target, .connect, at: Self.readClocks(), clock()) }
      case (.service, .connection), (.port, .service): break
      }
    }
  }
}
