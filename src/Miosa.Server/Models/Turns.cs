namespace Miosa.Server.Models;

/// <summary>
/// So many calls at once, so many more that wait, and no others; of one tenant a part of both, so that nobody takes all of it. The first of those that wait
/// and may is the next.
/// </summary>
internal sealed class Turns(TurnLimits limits, TimeProvider time)
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Share> shares = new(StringComparer.Ordinal);

    /// <summary>While a turn is free, all of these are of tenants that have as many as they may.</summary>
    private readonly LinkedList<Waiter> queue = [];
    private int running;

    /// <summary>False: as many wait as may, or it took longer than the patience. True must be followed by <see cref="Leave"/>.</summary>
    /// <param name="waits">Told 1 when it begins to wait and -1 when it does not any more.</param>
    public async ValueTask<bool> EnterAsync(string tenant, TimeSpan patience, Action<int> waits, CancellationToken ct)
    {
        Waiter waiter;
        lock (gate)
        {
            var share = shares.GetValueOrDefault(tenant);
            if (IsFree(share))
            {
                Take(tenant);
                return true;
            }
            if (queue.Count >= limits.Waiting || share.Waiting >= limits.WaitingOfOne)
                return false;
            waiter = new Waiter(tenant);
            queue.AddLast(waiter.Place);
            shares[tenant] = share with { Waiting = share.Waiting + 1 };
        }
        waits(1);
        try
        {
            await waiter.Turn.Task.WaitAsync(patience, time, ct);
            return true;
        }
        catch (TimeoutException)
        {
            // It may have come in the last moment.
            return !Withdraw(waiter);
        }
        catch (OperationCanceledException)
        {
            if (!Withdraw(waiter))
                Leave(tenant);
            throw;
        }
        finally
        {
            waits(-1);
        }
    }

    public void Leave(string tenant)
    {
        lock (gate)
        {
            running--;
            Set(tenant, shares[tenant] with { Running = shares[tenant].Running - 1 });
            for (var place = queue.First; place is not null && running < limits.AtOnce;)
            {
                var (waiter, next) = (place.Value, place.Next);
                if (IsFree(shares[waiter.Tenant]))
                {
                    Unqueue(waiter);
                    Take(waiter.Tenant);
                    waiter.Turn.SetResult();
                }
                place = next;
            }
        }
    }

    /// <summary>False: it has its turn already.</summary>
    private bool Withdraw(Waiter waiter)
    {
        lock (gate)
        {
            if (waiter.Place.List is null)
                return false;
            Unqueue(waiter);
            return true;
        }
    }

    private bool IsFree(Share share) => running < limits.AtOnce && share.Running < limits.OfOne;

    private void Take(string tenant)
    {
        running++;
        var share = shares.GetValueOrDefault(tenant);
        shares[tenant] = share with { Running = share.Running + 1 };
    }

    private void Unqueue(Waiter waiter)
    {
        queue.Remove(waiter.Place);
        Set(waiter.Tenant, shares[waiter.Tenant] with { Waiting = shares[waiter.Tenant].Waiting - 1 });
    }

    private void Set(string tenant, Share share)
    {
        if (share == default)
            shares.Remove(tenant);
        else
            shares[tenant] = share;
    }

    private readonly record struct Share(int Running, int Waiting);

    private sealed class Waiter
    {
        public Waiter(string tenant) => (Tenant, Place) = (tenant, new LinkedListNode<Waiter>(this));

        public string Tenant { get; }

        public LinkedListNode<Waiter> Place { get; }

        /// <summary>Set inside the lock: what follows must not run there.</summary>
        public TaskCompletionSource Turn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>How many calls of a provider run and wait, of all tenants and of one.</summary>
internal sealed record TurnLimits(int AtOnce, int Waiting, int OfOne, int WaitingOfOne);
