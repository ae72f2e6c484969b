import Synchronization

extension TransferThread {
  /// Runs a transfer and returns how it ended; when the task is cancelled, so is the transfer. Errors: too many wait, or a
  /// value cannot be used.
  public func run(_ transfer: TransferRequest) async throws(CurlError) -> TransferOutcome {
    let cancellation = Cancellation()
    let result: Result<TransferOutcome, CurlError> = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        do throws(CurlError) {
          let id = try submit(transfer) { continuation.resume(returning: .success($0)) }
          if cancellation.isWanted(for: id) { cancel(id) }
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    } onCancel: {
      if let id = cancellation.want() { cancel(id) }
    }
    return try result.get()
  }
}

/// Brings the identity of a transfer and the wish to cancel it together, whichever comes first.
private final class Cancellation: Sendable {
  private let state = Mutex<(id: TransferID?, isWanted: Bool)>((nil, false))

  func isWanted(for id: TransferID) -> Bool {
    state.withLock { state in
      state.id = id
      return state.isWanted
    }
  }

  func want() -> TransferID? {
    state.withLock { state in
      state.isWanted = true
      return state.id
    }
  }
}
