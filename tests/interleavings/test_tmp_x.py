import pytest, threading, collections
from datetime import timedelta
from django.db import connection, connections, transaction
from django.utils import timezone
from session_limit import registry
from session_limit.models import UserSession, uuid7
from session_limit.registry.locking import live_rows, _transaction, lock_account
pytestmark=[pytest.mark.django_db(transaction=True)]
def make(ada): return UserSession.objects.create(id=uuid7(), user_id=ada.pk, expires_at=timezone.now()+timedelta(1))
def test_x(ada):
    errs=collections.Counter(); stop=threading.Event(); n=collections.Counter()
    def sign_out():
        try:
            while not stop.is_set():
                r=make(ada); n["out"]+=1
                try: registry.end_row(r.pk, "signed_out")
                except Exception as e: errs["end_row "+str(e)[:60]]+=1
        finally: connections.close_all()
    def admit():
        try:
            while not stop.is_set():
                n["admit"]+=1
                try:
                    with _transaction("default"):
                        lock_account(ada.pk,"default"); rows=live_rows(ada,"default")
                except Exception as e: errs["admit "+str(e)[:60]]+=1
        finally: connections.close_all()
    ts=[threading.Thread(target=f) for f in (sign_out,sign_out,admit,admit)]
    for t in ts: t.start()
    import time; time.sleep(12); stop.set()
    for t in ts: t.join()
    print("RESULT", dict(n), dict(errs))
