from django.urls import path

from tests.stories import views
from tests.urls import urlpatterns as project

urlpatterns = [
    *project,
    path("members/", views.members),
    path("amembers/", views.members_async),
    path("awrite/", views.write_async),
    path("alogout/", views.sign_out_async),
    path("apassword/", views.password_async),
    path("play/", views.play),
    path("aplay/", views.play_async),
    path("silent/", views.silent),
    path("by-hand/", views.by_hand),
    path("cart/", views.cart),
    path("flush/", views.flush),
    path("aflush/", views.flush_async),
    path("clear/", views.clear),
    path("clear-and-write/", views.clear_and_write),
    path("overwrite-id/", views.overwrite_id),
    path("cycle/", views.cycle),
    path("acycle/", views.cycle_async),
    path("expire/", views.expire),
    path("aexpire/", views.expire_async),
    path("forbidden/", views.forbidden),
    path("api/", views.api),
    path("facade/", views.facade),
    path("afacade/", views.facade_async),
    path("interrupted/", views.interrupted),
    path("ainterrupted/", views.interrupted_async),
    path("rotated/", views.rotated),
    path("arotated/", views.rotated_async),
    path("remember-me/", views.remember_me),
    path("sign-in-then-fail/", views.sign_in_then_fail),
    path("sign-in-and-swallow/", views.sign_in_and_swallow),
    path("asign-in-and-swallow/", views.sign_in_and_swallow_async),
]
